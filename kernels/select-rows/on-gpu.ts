import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./select-rows.wgsl?raw";

/** One element a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "select-rows",
    wgsl,
    requires: [],
    workgroups: ({ params }) => spreadLanes(params["rows"]! * params["dim"]!),
  },
];
