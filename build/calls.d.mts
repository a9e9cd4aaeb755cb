import type { BufferUse, ParamType } from "../kernels/kernel.ts";

/** The class of a call in AssemblyScript: an address a buffer, 0 for an absent one, then the parameters. */
export declare function callSource(definition: {
  readonly name: string;
  readonly buffers: Readonly<Record<string, BufferUse>>;
  readonly params: Readonly<Record<string, ParamType>>;
}): string;
/** Writes kernels/calls/ below the project's root: a file for every kernel, and nothing else. */
export declare function writeCalls(root: string): Promise<void>;
