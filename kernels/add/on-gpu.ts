import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./add.wgsl?raw";

/** One element a lane. */
export const gpu: readonly WgslImplementation[] = [
  { name: "add", wgsl, requires: [], workgroups: ({ params }) => spreadLanes(params["rows"]! * params["dim"]!) },
];
