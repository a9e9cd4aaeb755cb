import visible from "../attend/visible.wgsl?raw";
import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import code from "./attend-pattern.wgsl?raw";

/** A workgroup per row and head. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "attend-pattern",
    wgsl: visible + code,
    requires: [],
    constants: ({ present }) => ({
      HAS_SOURCE: present.has("sourceCache"),
      HAS_HEAD_PARAMS: present.has("headParams"),
    }),
    workgroups: ({ params: { rows, heads } }) => spread(rows! * heads!),
  },
];
