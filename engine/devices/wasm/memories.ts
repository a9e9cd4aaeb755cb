// The device's memories. WebAssembly addresses 4 GiB, and an engine may grant less: a buffer that fits none of the memories goes to
// a new one, added then. Every memory has the same layout:
//
//   static data of the kernels | control block (used in the first only) | scratch of each thread | allocated blocks
//
// The matrices and caches of a call are in one memory; the activations near them come and go (allocations.ts). So weights and caches
// leave a reserve free in each memory, unless there is no other room left.

import { DeviceError, type TensorRole } from "../device.ts";
import { Allocator, roundUp } from "./allocator.ts";
import type { WorkerPool } from "./worker-pool.ts";
import type { Place } from "./messages.ts";
import { PAGE_BYTES, type WasmMemory } from "./platform.ts";
import { shareMemory } from "./shared-memory.ts";

/** Bytes that weights leave free in each memory, or half of a memory with less than twice that. Caches leave half as many. */
const RESERVE_BYTES = 256 << 20;
const RESERVE_SHARES = { weights: 1, cache: 0.5, activations: 0 } as const satisfies Record<TensorRole, number>;

/** How memories are made. */
export interface MemoryPlan {
  /** first address for blocks, and the initial pages of a memory */
  readonly begin: number;
  readonly pages: number;
  /** bytes of one memory, and of all together, at most */
  readonly bytesEach: number;
  readonly bytesTogether: number;
  readonly isShared: boolean;
}

/** A request for a place. */
export interface PlaceRequest {
  readonly role: TensorRole;
  /** memories to try first */
  readonly near?: readonly number[] | undefined;
  /** further bytes for which the same memory must have room */
  readonly besides?: number;
}

interface MemoryState {
  /** undefined where only the leader has it */
  readonly memory: WasmMemory | undefined;
  readonly allocator: Allocator;
  readonly limit: number;
  pages: number;
}

/** The first memory, to be handed to {@link Memories}. */
export function firstMemory(plan: MemoryPlan): { readonly memory: WasmMemory | undefined; readonly limit: number } {
  const limit = Math.min(plan.bytesEach, plan.bytesTogether);
  return plan.isShared ? shareMemory(plan.pages, limit) : { memory: undefined, limit };
}

/** The linear memories of one device, and which of their bytes are allocated. */
export class Memories {
  readonly #pool: WorkerPool;
  readonly #plan: MemoryPlan;
  readonly #states: MemoryState[] = [];

  constructor(pool: WorkerPool, plan: MemoryPlan, first: ReturnType<typeof firstMemory>) {
    this.#pool = pool;
    this.#plan = plan;
    this.#states.push(this.#stateOf(0, first));
  }

  get count(): number {
    return this.#states.length;
  }

  /** The shared memory of this number; undefined where only the leader has it. */
  shared(memory: number): WasmMemory | undefined {
    return this.#states[memory]!.memory;
  }

  /** Allocates `byteLength` bytes in any memory. Throws a DeviceError that names `label` where there is no room. */
  take(label: string, byteLength: number, { role, near = [], besides = 0 }: PlaceRequest): Place {
    const order = [...new Set([...near, ...this.#states.keys()])];
    for (const memory of order) {
      const address = this.tryIn(memory, byteLength, role, besides);
      if (address !== undefined) return { memory, address };
    }
    const added = this.#add(roundUp(byteLength) + roundUp(besides));
    for (const memory of added === undefined ? order : [added, ...order]) {
      const address = this.tryIn(memory, byteLength, "activations", besides);
      if (address !== undefined) return { memory, address };
    }
    const free = Math.max(...this.#states.map(({ allocator }) => allocator.freeBytes));
    const where = this.count > 1 ? ` in one of ${this.count} memories` : "";
    const isRoomLacking = besides > 0 && free >= byteLength;
    const what = isRoomLacking ? `"${label}", with room to pack it,` : `"${label}"`;
    const needed = isRoomLacking ? roundUp(byteLength) + roundUp(besides) : byteLength;
    throw new DeviceError("out-of-memory", `wasm: ${what} needs ${needed} bytes together; ${free} are free${where}`);
  }

  /** Allocates `byteLength` bytes in one memory and returns the address. Throws a DeviceError where it has no room. */
  takeIn(memory: number, label: string, byteLength: number): number {
    const { allocator } = this.#states[memory]!;
    const address = allocator.allocate(byteLength);
    if (address !== undefined) return address;
    const where = this.count > 1 ? ` in memory ${memory} of ${this.count}` : "";
    throw new DeviceError(
      "out-of-memory",
      `wasm: "${label}" needs ${byteLength} bytes together${where}; ${allocator.freeBytes} are free`,
    );
  }

  /** As `takeIn`, but undefined where the role's reserve would not be kept, or `besides` more bytes would find no room. */
  tryIn(memory: number, byteLength: number, role: TensorRole, besides = 0): number | undefined {
    const { allocator, limit } = this.#states[memory]!;
    const reserve = Math.min((limit - this.#plan.begin) / 2, RESERVE_BYTES) * RESERVE_SHARES[role];
    if (reserve > 0 && allocator.freeBytes - byteLength < reserve) return undefined;
    const address = allocator.allocate(byteLength);
    if (address === undefined || besides === 0) return address;
    const room = allocator.allocate(besides);
    if (room !== undefined) {
      allocator.free(room, besides);
      return address;
    }
    allocator.free(address, byteLength);
    return undefined;
  }

  /** Gives back what was taken. */
  free({ memory, address }: Place, byteLength: number): void {
    this.#states[memory]!.allocator.free(address, byteLength);
  }

  /** Makes one memory more that has room for so many bytes; undefined where it may not be, or the engine refuses. */
  #add(byteLength: number): number | undefined {
    const { begin, pages, bytesEach, bytesTogether, isShared } = this.#plan;
    const held = this.#states.reduce((sum, { limit }) => sum + limit, 0);
    const wanted = Math.min(bytesEach, bytesTogether - held);
    // another one would be no larger than one that is empty
    if (begin + byteLength > wanted || this.#states.at(-1)!.allocator.isEmpty) return undefined;
    try {
      const made = isShared ? shareMemory(pages, wanted) : { memory: undefined, limit: wanted };
      const memory = this.#pool.addMemory(made.memory, pages);
      this.#states.push(this.#stateOf(memory, made));
      return memory;
    } catch {
      return undefined;
    }
  }

  #stateOf(number: number, { memory, limit }: ReturnType<typeof firstMemory>): MemoryState {
    const { begin, pages } = this.#plan;
    const allocator = new Allocator(begin, pages * PAGE_BYTES, limit, (end) => this.#grow(number, end));
    return { memory, limit, pages, allocator };
  }

  /** Grows a memory to `end`; false where the engine refuses. Of a memory that only the leader has, a refusal shows only later. */
  #grow(number: number, end: number): boolean {
    const state = this.#states[number]!;
    const pages = Math.ceil(end / PAGE_BYTES) - state.pages;
    if (pages <= 0) return true;
    try {
      if (state.memory) state.memory.grow(pages);
      else this.#pool.order({ kind: "grow", memory: number, pages });
    } catch {
      return false;
    }
    state.pages += pages;
    return true;
  }
}
