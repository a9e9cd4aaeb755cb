import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import weight from "../softmax/weight.wgsl?raw";
import wgsl from "./token-log-prob.wgsl?raw";

/** A workgroup per row. */
export const gpu: readonly WgslImplementation[] = [
  { name: "token-log-prob", wgsl: weight + wgsl, requires: [], workgroups: ({ params }) => spread(params["rows"]!) },
];
