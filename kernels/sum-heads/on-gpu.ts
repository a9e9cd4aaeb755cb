import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./sum-heads.wgsl?raw";

/** One sum a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "sum-heads",
    wgsl,
    requires: [],
    workgroups: ({ params }) => spreadLanes(params["rows"]! * params["columns"]!),
  },
];
