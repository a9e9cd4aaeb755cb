import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";
import activation from "./activation.wgsl?raw";

/** One element a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "activate",
    wgsl: async () => activation + (await shaderOnDemand("activate")),
    requires: [],
    constants: ({ present }) => ({ HAS_UP: present.has("up") }),
    workgroups: ({ params }) => spreadLanes(params["rows"]! * params["dim"]!),
  },
];
