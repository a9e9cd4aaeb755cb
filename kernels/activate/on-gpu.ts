import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import activation from "./activation.wgsl?raw";
import code from "./activate.wgsl?raw";

/** One element a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "activate",
    wgsl: activation + code,
    requires: [],
    constants: ({ present }) => ({ HAS_UP: present.has("up") }),
    workgroups: ({ params }) => spreadLanes(params["rows"]! * params["dim"]!),
  },
];
