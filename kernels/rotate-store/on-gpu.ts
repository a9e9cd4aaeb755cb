import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./rotate-store.wgsl?raw";

/** One element a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "rotate-store",
    wgsl,
    requires: [],
    constants: ({ present }) => ({
      HAS_ROTATION: present.has("rotation"),
      HAS_Q_NORM: present.has("qNorm"),
      HAS_K_NORM: present.has("kNorm"),
    }),
    workgroups: ({ params: { rows, heads, kvHeads, headDim } }) =>
      spreadLanes(rows! * (heads! + 2 * kvHeads!) * headDim!),
  },
];
