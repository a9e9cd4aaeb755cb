// The device's memories. WebAssembly addresses 4 GiB, and engines may grant less: what finds no room in the memories that there
// are goes to one more, made then. Every memory is divided up alike:
//
//   static data of the kernels | control block (in use in the first only) | scratch of each thread | what is taken here
//
// A call's matrices and caches lie in one memory; the activations beside them come and go (holdings.ts). So weights and caches
// leave a reserve free in each memory, unless there is no other room left.

import { DeviceError, type TensorRole } from "../device.ts";
import { Allocator, roundUp } from "./allocator.ts";
import type { Crew } from "./crew.ts";
import type { Place } from "./messages.ts";
import { PAGE_BYTES, type WasmMemory } from "./platform.ts";
import { shareMemory } from "./shared-memory.ts";

/** Bytes that weights leave free in each memory; where less than twice that can be taken, half. Caches leave half as many. */
const RESERVE_BYTES = 256 << 20;
const RESERVE_SHARES = { weights: 1, cache: 0.5, activations: 0 } as const satisfies Record<TensorRole, number>;

/** How memories are made. */
export interface MemoryPlan {
  /** first address to be taken, and the pages that a memory begins with */
  readonly begin: number;
  readonly pages: number;
  /** bytes of one memory, and of all together, at most */
  readonly bytesEach: number;
  readonly bytesTogether: number;
  readonly isShared: boolean;
}

/** What is wanted of a place. */
export interface Wish {
  readonly role: TensorRole;
  /** memories to be tried before the others */
  readonly near?: readonly number[] | undefined;
  /** bytes that must find room in the same memory, too */
  readonly beside?: number;
}

interface Hall {
  /** undefined where it is the lead's own */
  readonly memory: WasmMemory | undefined;
  readonly allocator: Allocator;
  readonly limit: number;
  pages: number;
}

/** The first memory, as {@link Memories} goes on from it. */
export function firstMemory(plan: MemoryPlan): { readonly memory: WasmMemory | undefined; readonly limit: number } {
  const limit = Math.min(plan.bytesEach, plan.bytesTogether);
  return plan.isShared ? shareMemory(plan.pages, limit) : { memory: undefined, limit };
}

export class Memories {
  readonly #crew: Crew;
  readonly #plan: MemoryPlan;
  readonly #halls: Hall[] = [];

  constructor(crew: Crew, plan: MemoryPlan, first: ReturnType<typeof firstMemory>) {
    this.#crew = crew;
    this.#plan = plan;
    this.#halls.push(this.#hall(0, first));
  }

  get count(): number {
    return this.#halls.length;
  }

  /** A memory that is shared; undefined where it is the lead's own. */
  shared(memory: number): WasmMemory | undefined {
    return this.#halls[memory]!.memory;
  }

  /** A place of `byteLength` bytes, now taken. Throws a DeviceError that says for what where there is no room. */
  take(label: string, byteLength: number, { role, near = [], beside = 0 }: Wish): Place {
    const order = [...new Set([...near, ...this.#halls.keys()])];
    for (const memory of order) {
      const address = this.tryIn(memory, byteLength, role, beside);
      if (address !== undefined) return { memory, address };
    }
    const added = this.#add(roundUp(byteLength) + roundUp(beside));
    for (const memory of added === undefined ? order : [added, ...order]) {
      const address = this.tryIn(memory, byteLength, "activations", beside);
      if (address !== undefined) return { memory, address };
    }
    const free = Math.max(...this.#halls.map(({ allocator }) => allocator.freeBytes));
    const where = this.count > 1 ? ` in one of ${this.count} memories` : "";
    const isRoomLacking = beside > 0 && free >= byteLength;
    const what = isRoomLacking ? `"${label}", with room to pack it,` : `"${label}"`;
    const needed = isRoomLacking ? roundUp(byteLength) + roundUp(beside) : byteLength;
    throw new DeviceError("out-of-memory", `wasm: ${what} needs ${needed} bytes together; ${free} are free${where}`);
  }

  /** The address of `byteLength` bytes of one memory, now taken. Throws a DeviceError where it has no room. */
  takeIn(memory: number, label: string, byteLength: number): number {
    const { allocator } = this.#halls[memory]!;
    const address = allocator.allocate(byteLength);
    if (address !== undefined) return address;
    const where = this.count > 1 ? ` in memory ${memory} of ${this.count}` : "";
    throw new DeviceError(
      "out-of-memory",
      `wasm: "${label}" needs ${byteLength} bytes together${where}; ${allocator.freeBytes} are free`,
    );
  }

  /** The same where the reserve that the role leaves is kept, and `beside` more bytes would find room; else undefined. */
  tryIn(memory: number, byteLength: number, role: TensorRole, beside = 0): number | undefined {
    const { allocator, limit } = this.#halls[memory]!;
    const reserve = Math.min((limit - this.#plan.begin) / 2, RESERVE_BYTES) * RESERVE_SHARES[role];
    if (reserve > 0 && allocator.freeBytes - byteLength < reserve) return undefined;
    const address = allocator.allocate(byteLength);
    if (address === undefined || beside === 0) return address;
    const room = allocator.allocate(beside);
    if (room !== undefined) {
      allocator.free(room, beside);
      return address;
    }
    allocator.free(address, byteLength);
    return undefined;
  }

  /** Gives back what was taken. */
  free({ memory, address }: Place, byteLength: number): void {
    this.#halls[memory]!.allocator.free(address, byteLength);
  }

  /** Makes one memory more that has room for so many bytes; undefined where it may not be, or the engine refuses. */
  #add(byteLength: number): number | undefined {
    const { begin, pages, bytesEach, bytesTogether, isShared } = this.#plan;
    const held = this.#halls.reduce((sum, { limit }) => sum + limit, 0);
    const wanted = Math.min(bytesEach, bytesTogether - held);
    // another one would be no larger than one that is empty
    if (begin + byteLength > wanted || this.#halls.at(-1)!.allocator.isEmpty) return undefined;
    try {
      const made = isShared ? shareMemory(pages, wanted) : { memory: undefined, limit: wanted };
      const memory = this.#crew.addMemory(made.memory, pages);
      this.#halls.push(this.#hall(memory, made));
      return memory;
    } catch {
      return undefined;
    }
  }

  #hall(number: number, { memory, limit }: ReturnType<typeof firstMemory>): Hall {
    const { begin, pages } = this.#plan;
    const allocator = new Allocator(begin, pages * PAGE_BYTES, limit, (end) => this.#grow(number, end));
    return { memory, limit, pages, allocator };
  }

  /** Makes a memory reach `end`; false where the engine refuses. Without sharing, the lead finds out only later. */
  #grow(number: number, end: number): boolean {
    const hall = this.#halls[number]!;
    const pages = Math.ceil(end / PAGE_BYTES) - hall.pages;
    if (pages <= 0) return true;
    try {
      if (hall.memory) hall.memory.grow(pages);
      else this.#crew.order({ kind: "grow", memory: number, pages });
    } catch {
      return false;
    }
    hall.pages += pages;
    return true;
  }
}
