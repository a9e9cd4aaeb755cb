import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./argmax.wgsl?raw";

/** A workgroup per row. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "argmax",
    wgsl,
    elements: { x: "u32" },
    requires: [],
    workgroups: ({ params }) => spread(params["rows"]!),
  },
];
