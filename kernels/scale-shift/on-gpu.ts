import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./scale-shift.wgsl?raw";

/** One element a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "scale-shift",
    wgsl,
    requires: [],
    constants: ({ present }) => ({ HAS_BIAS: present.has("bias") }),
    workgroups: ({ params }) => spreadLanes(params["rows"]! * params["dim"]!),
  },
];
