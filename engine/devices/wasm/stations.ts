// In which memory each call of a program is made, and what must be carried between memories for it. A call is made where its
// matrices lie, or else its cache; every other call where the one before it is. A tensor lies in one memory, its home, and has
// replicas in the memories of other calls that use it.
//
// Between runs the latest numbers are at home, so that writes, reads and copies deal with homes only. Within a range of calls,
// which numbers are the latest is known beforehand: before a call uses a tensor (or writes it, perhaps in part) whose latest
// numbers are elsewhere, they are carried to its memory, and at the end of the range whatever is not the latest at home is
// carried home. Weights are not written by programs as a rule: their replicas are as new as their homes.

import type { BufferUse } from "../../../kernels/index.ts";
import type { Matrix, Tensor } from "../device.ts";
import type { Call } from "../program.ts";
import { wordsFor } from "../tensor.ts";
import { COPY_WORDS } from "./messages.ts";

/** In which memory a buffer is at home. */
export type HomeOf = (buffer: Tensor | Matrix) => number;

/** A call, the memory it is made in, and how many numbers it uses of each buffer in the step at hand. */
export interface RoutedCall {
  readonly call: Call;
  readonly memory: number;
  /** shared by the calls that use as many */
  readonly numbers: { readonly sizes: Readonly<Record<string, number>> };
}

interface Carry {
  readonly tensor: Tensor;
  readonly from: number;
  readonly to: number;
}
interface Station {
  readonly carries: readonly Carry[];
  readonly end: number;
}

/** A call's matrices, in order. */
export function matricesOf({ kernel, buffers }: Call): Matrix[] {
  return Object.keys(kernel.buffers).flatMap((name) => {
    const buffer = buffers[name];
    return buffer && "columns" in buffer ? [buffer] : [];
  });
}

/** The memory of each call. The matrices of a call lie in one. */
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

/** A range of calls that need numbers carried. */
export class Route {
  readonly #stations: readonly Station[];
  /** what calls of the range use of each tensor that is carried */
  readonly #uses: ReadonlyMap<Tensor, readonly { numbers: RoutedCall["numbers"]; name: string }[]>;
  readonly #carries: number;

  constructor(stations: readonly Station[], routed: readonly RoutedCall[]) {
    this.#stations = stations;
    this.#carries = stations.reduce((sum, { carries }) => sum + carries.length, 0);
    const uses = new Map<Tensor, { numbers: RoutedCall["numbers"]; name: string }[]>();
    for (const { carries } of stations) for (const { tensor } of carries) uses.set(tensor, []);
    for (const { call, numbers } of routed) {
      for (const [name, tensor] of tensorsOf(call)) {
        const list = uses.get(tensor);
        if (list?.some((use) => use.numbers === numbers && use.name === name) === false) list.push({ numbers, name });
      }
    }
    this.#uses = uses;
  }

  /** The stations as the lead is sent them (messages.ts): of each tensor, as much as any call of the range uses. */
  words(addressIn: (tensor: Tensor, memory: number) => number): Uint32Array {
    const words = new Uint32Array(this.#stations.length * 2 + this.#carries * COPY_WORDS);
    const bytes = new Map<Tensor, number>();
    for (const [tensor, uses] of this.#uses) {
      const most = uses.reduce((largest, { numbers, name }) => Math.max(largest, numbers.sizes[name]!), 0);
      bytes.set(tensor, Math.min(tensor.length, wordsFor(tensor, most)) * 4);
    }
    let next = 0;
    for (const { carries, end } of this.#stations) {
      words.set([carries.length, end], next);
      next += 2;
      for (const { tensor, from, to } of carries) {
        words.set([from, addressIn(tensor, from), to, addressIn(tensor, to), bytes.get(tensor)!], next);
        next += COPY_WORDS;
      }
    }
    return words;
  }
}

/**
 * The route of calls begin..end; undefined where nothing is carried. `replicasOf` are the memories in which a tensor of weights
 * has replicas.
 */
export function planRoute(
  routed: readonly RoutedCall[],
  begin: number,
  end: number,
  homeOf: HomeOf,
  replicasOf: (tensor: Tensor) => Iterable<number>,
): Route | undefined {
  /** the memories in which the latest numbers of a tensor are */
  const latest = new Map<Tensor, Set<number>>();
  const latestOf = (tensor: Tensor) => {
    let memories = latest.get(tensor);
    if (!memories) {
      memories = new Set([homeOf(tensor), ...(tensor.role === "weights" ? replicasOf(tensor) : [])]);
      latest.set(tensor, memories);
    }
    return memories;
  };
  const carry = (tensor: Tensor, to: number, carries: Carry[]) => {
    const memories = latestOf(tensor);
    if (memories.has(to)) return;
    const [from] = memories;
    carries.push({ tensor, from: from!, to });
    memories.add(to);
  };
  const stations: { carries: Carry[]; end: number }[] = [];
  for (let place = begin; place < end; place++) {
    const { call, memory } = routed[place]!;
    const carries: Carry[] = [];
    for (const [name, tensor] of tensorsOf(call)) {
      carry(tensor, memory, carries);
      if (isWritten(call.kernel.buffers[name]!)) latest.set(tensor, new Set([memory]));
    }
    if (carries.length > 0 || stations.length === 0) stations.push({ carries, end: place + 1 });
    else stations.at(-1)!.end = place + 1;
  }
  const carries: Carry[] = [];
  for (const tensor of latest.keys()) {
    carry(tensor, homeOf(tensor), carries);
    if (tensor.role === "weights") for (const memory of replicasOf(tensor)) carry(tensor, memory, carries);
  }
  if (carries.length > 0) stations.push({ carries, end });
  if (stations.every((station) => station.carries.length === 0)) return undefined;
  return new Route(stations, routed.slice(begin, end));
}

/** Whether a call changes a buffer that it uses so. */
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
