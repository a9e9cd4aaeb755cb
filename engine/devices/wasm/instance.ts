// One thread's instance of the kernels' module on one memory: its exports by purpose, its kernels in the function table by name.
// A thread's instances share the table of the first, whose `replay` calls through it.

import { webAssembly, type WasmMemory, type WasmModule, type WasmTable } from "./platform.ts";

/** What assembly/walk.as.ts exports. */
export interface WalkFunctions {
  heapBase(): number;
  scratchBytes(): number;
  setScratch(address: number): void;
  replay(table: number, begin: number, end: number, threads: number, control: number): void;
  dismiss(threads: number, control: number): void;
  serve(thread: number, threads: number, control: number, seen: number): number;
}

/** An instance whose `kernels[i]` is at tableBase + i of the table: the same places in every thread. */
export interface Instance {
  readonly functions: WalkFunctions;
  readonly kernels: readonly string[];
  readonly table: WasmTable;
  readonly tableBase: number;
  /** a kernel's function by its name */
  named(kernel: string): (call: number, thread: number, threads: number) => void;
}

/** The module's static data ends below this; the device's own blocks begin here. */
export const STATIC_BYTES = 16384;
/** Scratch that the device gives each thread. */
export const SCRATCH_BYTES = 786432;

const walkFunctions = new Set(["heapBase", "scratchBytes", "setScratch", "replay", "dismiss", "serve"]);

/**
 * Instantiates the module on a memory, with its kernels in the table of `first` where there is one. Throws when it needs more
 * static data or scratch than the device leaves it.
 */
export function instantiate(
  module: WasmModule,
  memory: WasmMemory,
  scratch: number,
  modules: readonly WasmModule[] = [],
  first?: Instance,
): Instance {
  // the words that threads sleep on lie in the memory's first pages, which a buffer keeps however the memory grows
  const words = new Int32Array(memory.buffer);
  const sleep = (address: number, seen: number) => void Atomics.wait(words, address >>> 2, seen);
  const wake = (address: number) => void Atomics.notify(words, address >>> 2);
  const { exports } = new webAssembly.Instance(module, { env: { memory, sleep, wake } });
  const functions = exports as unknown as WalkFunctions;
  if (functions.heapBase() > STATIC_BYTES) {
    throw new Error(
      `the kernels' static data takes ${functions.heapBase()} bytes; the device leaves them ${STATIC_BYTES}`,
    );
  }
  if (functions.scratchBytes() > SCRATCH_BYTES) {
    throw new Error(
      `kernels need ${functions.scratchBytes()} bytes of scratch; the device gives them ${SCRATCH_BYTES}`,
    );
  }
  const found = functionsOf(exports).filter(([name]) => !walkFunctions.has(name));
  for (const foreign of modules) found.push(...foreignFunctions(foreign, memory));
  const kernels = found.map(([name]) => name);
  const twice = kernels.find((name, i) => kernels.indexOf(name) < i);
  if (twice !== undefined) throw new Error(`two modules export a function ${twice}`);
  const { table } = first ?? exports;
  const tableBase = table.grow(kernels.length);
  for (const [i, [, place]] of found.entries()) table.set(tableBase + i, place);
  functions.setScratch(scratch);
  const named = (kernel: string) => exports[kernel] as ReturnType<Instance["named"]>;
  return { functions, kernels, table, tableBase, named };
}

type Exports = Readonly<Record<string, unknown>>;

function functionsOf(exports: Exports): [name: string, value: unknown][] {
  return Object.entries(exports)
    .filter(([, value]) => typeof value === "function")
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function abort(): never {
  throw new Error("a kernel of another module gives up");
}

/** What a module of somebody else's exports, on the same memory. */
function foreignFunctions(module: WasmModule, memory: WasmMemory): [name: string, value: unknown][] {
  return functionsOf(new webAssembly.Instance(module, { env: { memory, abort } }).exports);
}
