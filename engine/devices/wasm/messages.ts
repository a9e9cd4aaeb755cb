// The messages between the caller's thread and the workers. Orders are carried out in the order in which they were sent. Addresses
// are bytes into one of the workers' linear memories, in which the caller's thread allocates but never reads or writes, except
// for rows that wait to be packed (load-matrix.ts). Memories are numbered in the order in which they were added.

import type { WasmMemory, WasmModule } from "./platform.ts";

/** The first message to every worker, which makes it the leader (thread 0) or a helper. */
export interface Start {
  readonly kind: "start";
  readonly module: WasmModule;
  /** further modules whose functions are kernels */
  readonly modules?: readonly WasmModule[];
  /** the first shared memory; absent where the leader makes one for itself */
  readonly memory: WasmMemory | undefined;
  readonly pages: number;
  readonly thread: number;
  readonly threads: number;
  /** address of the control block of walk.as.ts */
  readonly control: number;
  readonly scratch: number;
}

/** Adds a memory with the layout of the first; it gets the next number. */
export interface Added {
  readonly kind: "memory";
  /** absent where the leader makes one for itself */
  readonly memory: WasmMemory | undefined;
  readonly pages: number;
}

/** A place in a memory. */
export interface Place {
  readonly memory: number;
  readonly address: number;
}
/** Numbers to be written to a place. */
export interface Placed extends Place {
  readonly data: Float32Array | Uint32Array;
}
/** Words of one copy in a list of copies: source memory and address, target memory and address, bytes. */
export const COPY_WORDS = 5;
/** One replay of calls begin..end. */
export interface Replay {
  readonly begin: number;
  readonly end: number;
  /** words that the step's variables change, see patches.ts */
  readonly patches: Uint32Array;
  /** the writes one after the other: memory, address, count, words. One array, because each takes microseconds to post */
  readonly writes: Uint32Array;
  /** see COPY_WORDS */
  readonly copies: readonly number[];
  /**
   * Present where calls need transfers between memories: for each segment its count of copies, its end, and the copies, which come
   * before the calls up to that end.
   */
  readonly segments: Uint32Array | undefined;
  readonly reads: readonly Wanted[];
}
/** Numbers to be read from a place. */
export interface Wanted extends Place {
  readonly length: number;
  readonly type: "f32" | "u32";
}

/** An order without an answer. */
export type Order =
  | Added
  | { readonly kind: "grow"; readonly memory: number; readonly pages: number }
  | ({ readonly kind: "zero"; readonly byteLength: number } & Place)
  /** copies, then zeros what follows */
  | {
      readonly kind: "move";
      readonly from: Place;
      readonly to: Place;
      readonly byteLength: number;
      readonly zeros: number;
    }
  | ({ readonly kind: "write" } & Placed)
  /** words to be changed, see patches.ts */
  | { readonly kind: "patch"; readonly patches: Uint32Array };

/** An order that is answered, by its id. */
export type Request =
  | ({ readonly kind: "read" } & Wanted)
  /** whole rows of a matrix, to be packed by all threads */
  | {
      readonly kind: "pack";
      readonly memory: number;
      /** the packing function's place in the function table, and its call's words */
      readonly record: Uint32Array;
      /** address of the rows, or where to put them */
      readonly staging: number;
      /** the bytes of the rows, with room to spare, where only the leader has the memory; returned with the answer for reuse */
      readonly words: Uint32Array | undefined;
    }
  | {
      readonly kind: "run";
      readonly table: number;
      /** one after the other; what they read comes in one array of words */
      readonly steps: readonly Replay[];
    }
  /** replays one call, on the leader alone, until the engine has optimized its kernel */
  | { readonly kind: "warm"; readonly table: number; readonly milliseconds: number };

/** A message to a worker; helpers receive the first two kinds only. */
export type ToWorker = Start | Added | Order | (Request & { readonly id: number });

/** A message from a worker. `ready`: names of the kernels, in the order of the function table, from `tableBase` on. */
export type FromWorker =
  | { readonly kind: "ready"; readonly kernels: readonly string[]; readonly tableBase: number }
  | { readonly kind: "done"; readonly id: number; readonly arrays: readonly (Float32Array | Uint32Array)[] }
  /** the worker has failed; `place` is the index of the call that was running, -1 outside a run */
  | { readonly kind: "fatal"; readonly message: string; readonly place: number; readonly isOutOfMemory: boolean };
