import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./normalize.wgsl?raw";

/** A workgroup per row. */
export const gpu: readonly WgslImplementation[] = [
  { name: "normalize", wgsl, requires: [], workgroups: ({ params }) => spread(params["rows"]!) },
];
