// What the caller's thread and the workers say to each other. Orders are carried out in the order in which they were sent;
// addresses are bytes into one of the workers' linear memories, which the caller's thread divides up but never reads or writes,
// except for rows that wait to be packed (intake.ts). Memories are numbered in the order in which they were made.

import type { WasmMemory, WasmModule } from "./platform.ts";

/** First message to every worker: becomes the lead (thread 0) or a helper. */
export interface Start {
  readonly kind: "start";
  readonly module: WasmModule;
  /** others whose functions are kernels, too */
  readonly modules?: readonly WasmModule[];
  /** the first shared memory; absent where the lead makes one of its own */
  readonly memory: WasmMemory | undefined;
  readonly pages: number;
  readonly thread: number;
  readonly threads: number;
  /** where the control block of walk.as.ts lies */
  readonly control: number;
  readonly scratch: number;
}

/** One memory more, divided up as the first: the next number is its. */
export interface Added {
  readonly kind: "memory";
  /** absent where the lead makes one of its own */
  readonly memory: WasmMemory | undefined;
  readonly pages: number;
}

/** A place in a memory. */
export interface Place {
  readonly memory: number;
  readonly address: number;
}
/** Numbers for a place in memory. */
export interface Placed extends Place {
  readonly data: Float32Array | Uint32Array;
}
/** Words of one copy in a list of them: memory and address it is from, memory and address it goes to, bytes. */
export const COPY_WORDS = 5;
/** One replay of calls begin..end. */
export interface Replay {
  readonly begin: number;
  readonly end: number;
  /** words that the step's variables change, see patches.ts */
  readonly patches: Uint32Array;
  /** what is written, one after the other: memory, address, count, words. One array, because each costs microseconds to hand over */
  readonly writes: Uint32Array;
  /** see COPY_WORDS */
  readonly copies: readonly number[];
  /**
   * Where the calls need numbers carried between memories: for each station its count of copies, its end, and the copies, to be
   * made before calls up to that end are replayed.
   */
  readonly stations: Uint32Array | undefined;
  readonly reads: readonly Wanted[];
}
/** A place in memory to read from. */
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

/** An order that is answered by its id. */
export type Request =
  | ({ readonly kind: "read" } & Wanted)
  /** whole rows of a matrix, to be packed by all threads */
  | {
      readonly kind: "pack";
      readonly memory: number;
      /** the packing function's place in the function table, and its call's words */
      readonly record: Uint32Array;
      /** where the rows lie, or are to be put */
      readonly staging: number;
      /** the rows' bytes and room to spare where the memory is the lead's own; come back with the answer, to be used again */
      readonly words: Uint32Array | undefined;
    }
  | {
      readonly kind: "run";
      readonly table: number;
      /** one after the other; what they read comes in one array of words */
      readonly steps: readonly Replay[];
    }
  /** replays one call, on the lead alone, for some time: until the engine has compiled its kernel well */
  | { readonly kind: "warm"; readonly table: number; readonly milliseconds: number };

/** What a worker is sent; a helper only the first two. */
export type ToWorker = Start | Added | Order | (Request & { readonly id: number });

/** What a worker answers. `ready`: names of the kernels, in the order of the function table, from `tableBase` on. */
export type FromWorker =
  | { readonly kind: "ready"; readonly kernels: readonly string[]; readonly tableBase: number }
  | { readonly kind: "done"; readonly id: number; readonly arrays: readonly (Float32Array | Uint32Array)[] }
  /** the worker can go no further; `place` is that of the call being made, -1 outside a run */
  | { readonly kind: "fatal"; readonly message: string; readonly place: number; readonly isOutOfMemory: boolean };
