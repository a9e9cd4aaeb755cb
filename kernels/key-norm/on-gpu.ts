import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./key-norm.wgsl?raw";

/** One row a lane. */
export const gpu: readonly WgslImplementation[] = [
  { name: "key-norm", wgsl, requires: [], workgroups: ({ params }) => spreadLanes(params["rows"]!) },
];
