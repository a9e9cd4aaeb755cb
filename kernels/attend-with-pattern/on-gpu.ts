import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./attend-with-pattern.wgsl?raw";

/** One element of z a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "attend-with-pattern",
    wgsl,
    requires: [],
    constants: ({ present }) => ({ HAS_SOURCE: present.has("sourceCache") }),
    workgroups: ({ params: { rows, heads, headDim } }) => spreadLanes(rows! * heads! * headDim!),
  },
];
