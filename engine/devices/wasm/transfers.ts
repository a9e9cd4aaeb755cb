// The memory in which each call of a program runs, and the transfers between memories that this needs. A call runs in the memory of
// its matrices, or else of its cache; any other call runs where the call before it does. A tensor has one home memory, and replicas in
// the memories of other calls that use it.
//
// Between runs the latest numbers are at home, so writes, reads and copies use homes only. Within a range of calls it is known
// in advance which copy of a tensor is the latest. Before a call uses a tensor (or writes it, perhaps in part) whose latest
// numbers are in another memory, they are transferred, and at the end of the range every home that is not the latest is
// updated. Programs seldom write weights, so the replicas of weights count as up to date.

import type { BufferUse } from "../../../kernels/index.ts";
import type { Matrix, Tensor } from "../device.ts";
import type { Call } from "../program.ts";
import { wordsFor } from "../tensor.ts";
import { COPY_WORDS } from "./messages.ts";

/** The home memory of a buffer. */
export type HomeOf = (buffer: Tensor | Matrix) => number;

/** A call, the memory in which it runs, and how many numbers of each buffer the current step uses. */
export interface PlacedCall {
  readonly call: Call;
  readonly memory: number;
  /** one object for all calls that use the same sizes */
  readonly numbers: { readonly sizes: Readonly<Record<string, number>> };
}

interface Transfer {
  readonly tensor: Tensor;
  readonly from: number;
  readonly to: number;
}
/** Calls up to `end`, which follow these transfers. */
interface Segment {
  readonly transfers: readonly Transfer[];
  readonly end: number;
}

/** A call's matrices, in order. */
export function matricesOf({ kernel, buffers }: Call): Matrix[] {
  return Object.keys(kernel.buffers).flatMap((name) => {
    const buffer = buffers[name];
    return buffer && "columns" in buffer ? [buffer] : [];
  });
}

/** The memory of each call. The matrices of a call must be in one memory. */
export function memoriesOf(calls: readonly Call[], homeOf: HomeOf): number[] {
  const bound = calls.map((call) => {
    const names = Object.keys(call.kernel.buffers).filter((name) => call.buffers[name] !== undefined);
    const first =
      names.find((name) => call.kernel.buffers[name]!.startsWith("matrix")) ??
      names.find((name) => call.kernel.buffers[name]!.startsWith("cache"));
    return first === undefined ? undefined : homeOf(call.buffers[first]!);
  });
  const some = Object.values(calls[0]?.buffers ?? {}).find((buffer) => buffer !== undefined);
  let memory = bound.find((own) => own !== undefined) ?? (some ? homeOf(some) : 0);
  return bound.map((own) => (memory = own ?? memory));
}

/** The transfers of a range of calls. */
export class TransferPlan {
  readonly #segments: readonly Segment[];
  /** the uses of each transferred tensor by calls of the range */
  readonly #uses: ReadonlyMap<Tensor, readonly { numbers: PlacedCall["numbers"]; name: string }[]>;
  readonly #transferCount: number;

  constructor(segments: readonly Segment[], placed: readonly PlacedCall[]) {
    this.#segments = segments;
    this.#transferCount = segments.reduce((sum, { transfers }) => sum + transfers.length, 0);
    const uses = new Map<Tensor, { numbers: PlacedCall["numbers"]; name: string }[]>();
    for (const { transfers } of segments) for (const { tensor } of transfers) uses.set(tensor, []);
    for (const { call, numbers } of placed) {
      for (const [name, tensor] of tensorsOf(call)) {
        const list = uses.get(tensor);
        if (list?.some((use) => use.numbers === numbers && use.name === name) === false) list.push({ numbers, name });
      }
    }
    this.#uses = uses;
  }

  /** The segments in the form of messages.ts. Of each tensor the largest part that a call of the range uses is transferred. */
  words(addressIn: (tensor: Tensor, memory: number) => number): Uint32Array {
    const words = new Uint32Array(this.#segments.length * 2 + this.#transferCount * COPY_WORDS);
    const bytes = new Map<Tensor, number>();
    for (const [tensor, uses] of this.#uses) {
      const most = uses.reduce((largest, { numbers, name }) => Math.max(largest, numbers.sizes[name]!), 0);
      bytes.set(tensor, Math.min(tensor.length, wordsFor(tensor, most)) * 4);
    }
    let next = 0;
    for (const { transfers, end } of this.#segments) {
      words.set([transfers.length, end], next);
      next += 2;
      for (const { tensor, from, to } of transfers) {
        words.set([from, addressIn(tensor, from), to, addressIn(tensor, to), bytes.get(tensor)!], next);
        next += COPY_WORDS;
      }
    }
    return words;
  }
}

/**
 * Plans the transfers of calls begin..end; undefined where none is needed. `replicasOf` returns the memories with a replica of a
 * tensor of weights.
 */
export function planTransfers(
  placed: readonly PlacedCall[],
  begin: number,
  end: number,
  homeOf: HomeOf,
  replicasOf: (tensor: Tensor) => Iterable<number>,
): TransferPlan | undefined {
  /** the memories that have the latest numbers of each tensor */
  const latest = new Map<Tensor, Set<number>>();
  const latestOf = (tensor: Tensor) => {
    let memories = latest.get(tensor);
    if (!memories) {
      memories = new Set([homeOf(tensor), ...(tensor.role === "weights" ? replicasOf(tensor) : [])]);
      latest.set(tensor, memories);
    }
    return memories;
  };
  const transfer = (tensor: Tensor, to: number, transfers: Transfer[]) => {
    const memories = latestOf(tensor);
    if (memories.has(to)) return;
    const [from] = memories;
    transfers.push({ tensor, from: from!, to });
    memories.add(to);
  };
  const segments: { transfers: Transfer[]; end: number }[] = [];
  for (let place = begin; place < end; place++) {
    const { call, memory } = placed[place]!;
    const transfers: Transfer[] = [];
    for (const [name, tensor] of tensorsOf(call)) {
      transfer(tensor, memory, transfers);
      if (isWritten(call.kernel.buffers[name]!)) latest.set(tensor, new Set([memory]));
    }
    if (transfers.length > 0 || segments.length === 0) segments.push({ transfers, end: place + 1 });
    else segments.at(-1)!.end = place + 1;
  }
  const transfers: Transfer[] = [];
  for (const tensor of latest.keys()) {
    transfer(tensor, homeOf(tensor), transfers);
    if (tensor.role === "weights") for (const memory of replicasOf(tensor)) transfer(tensor, memory, transfers);
  }
  if (transfers.length > 0) segments.push({ transfers, end });
  if (segments.every((segment) => segment.transfers.length === 0)) return undefined;
  return new TransferPlan(segments, placed.slice(begin, end));
}

/** Whether a call writes a buffer that it uses in this way. */
export function isWritten(use: BufferUse): boolean {
  return use.includes("write");
}

/** A call's tensors by name. */
function tensorsOf({ kernel, buffers }: Call): (readonly [string, Tensor])[] {
  return Object.keys(kernel.buffers).flatMap((name) => {
    const buffer = buffers[name];
    return buffer && !("columns" in buffer) ? [[name, buffer] as const] : [];
  });
}
