import type { WgslImplementation } from "../kernel.ts";

export const gpu: readonly WgslImplementation[] = [];
