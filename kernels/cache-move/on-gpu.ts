import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./cache-move.wgsl?raw";

/** One number a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "cache-move",
    wgsl,
    requires: [],
    workgroups: ({ params }) => spreadLanes(params["rows"]! * params["slotLength"]!),
  },
];
