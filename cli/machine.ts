// Facts about this machine and this Node for `kedge doctor`. Nothing here starts a device.

import { availableParallelism, cpus, totalmem } from "node:os";

/** Facts about the process and the machine. */
export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly cores: number;
  /** bytes */
  readonly memory: number;
  readonly wasm: {
    readonly simd: boolean;
    /** as compiled now; a device may have to switch it on first */
    readonly relaxedSimd: boolean;
    /** memory can be shared between threads */
    readonly threads: boolean;
    /** bytes that one memory may have at most */
    readonly memoryLimit: number;
  };
}

const PAGE_BYTES = 65536;
/** Most pages that WebAssembly's 32-bit addresses reach. */
const MAX_PAGES = 65536;

/** Modules with one function of type () -> v128, by what that function does. */
const SIMD = module("41 00 fd 0f"); // i8x16.splat of 0
const RELAXED_SIMD = module(`${"41 00 fd 0f".repeat(3)} fd 85 02`); // f32x4.relaxed_madd of zeros

function module(body: string): Uint8Array {
  const code = Buffer.from(body.replaceAll(" ", ""), "hex");
  const header = Buffer.from("0061736d01000000 010501600001 7b 03020100".replaceAll(" ", ""), "hex");
  return Buffer.concat([
    header,
    Buffer.from([0x0a, code.length + 4, 1, code.length + 2, 0]),
    code,
    Buffer.from([0x0b]),
  ]);
}

/** The members of `WebAssembly` used here. Its types are part of the DOM's, which Node's types lack. */
interface WebAssemblyApi {
  validate(bytes: Uint8Array): boolean;
  readonly Memory: new (options: { initial: number; maximum: number; shared: boolean }) => {
    readonly buffer: ArrayBufferLike;
  };
}

/** Looks at the machine. */
export function inspectMachine(): Machine {
  const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: WebAssemblyApi };
  const memoryOf = (maximum: number, shared: boolean): boolean => {
    try {
      return new WebAssembly.Memory({ initial: 1, maximum, shared }).buffer.byteLength > 0;
    } catch {
      return false;
    }
  };
  const threads = typeof SharedArrayBuffer !== "undefined" && memoryOf(1, true);
  let pages = MAX_PAGES;
  while (pages > 1 && !memoryOf(pages, threads)) pages /= 2;
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model.trim() || "unknown",
    cores: availableParallelism(),
    memory: totalmem(),
    wasm: {
      simd: WebAssembly.validate(SIMD),
      relaxedSimd: WebAssembly.validate(RELAXED_SIMD),
      threads,
      memoryLimit: pages * PAGE_BYTES,
    },
  };
}
