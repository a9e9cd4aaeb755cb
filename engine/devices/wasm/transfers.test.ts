// Routes through memories, played on plain arrays: whatever lies where, a program gives what it gives in one memory.

import { array, assert, boolean, constantFrom, nat, property, record } from "fast-check";
import { describe, expect, it } from "vitest";
import { add, attend, gatedLinear, linear, rmsNorm, type Kernel } from "../../../kernels/index.ts";
import type { Matrix, Tensor, TensorRole } from "../device.ts";
import type { Call } from "../program.ts";
import { memoriesOf, planTransfers, type PlacedCall } from "./transfers.ts";

const LENGTH = 6;
const MEMORIES = 3;

const tensor = (label: string, role: TensorRole = "activations"): Tensor => ({
  label,
  type: "f32",
  role,
  length: LENGTH,
});
const matrix = (label: string): Matrix => ({ label, rows: 1, columns: 1, format: "f32", byteLength: 64 });
const callOf = (kernel: Kernel, buffers: Call["buffers"]): Call => ({
  kernel,
  label: kernel.name,
  buffers,
  params: {},
});

/** A segment as the leader receives it. */
const segment = (end: number, ...copies: number[][]) => [copies.length, end, ...copies.flat()];

interface Plan {
  readonly tensors: readonly { readonly home: number; readonly isWeights: boolean; readonly replica: number }[];
  readonly calls: readonly {
    readonly memory: number;
    readonly buffers: readonly number[];
    /** how many numbers it uses, and from which on it writes */
    readonly numbers: number;
    readonly writesFrom: number;
  }[];
  readonly border: number;
}

const plans = record({
  tensors: array(record({ home: nat(MEMORIES - 1), isWeights: boolean(), replica: nat(MEMORIES - 1) }), {
    minLength: 3,
    maxLength: 5,
  }),
  calls: array(
    record({
      memory: nat(MEMORIES - 1),
      buffers: array(nat(4), { minLength: 3, maxLength: 3 }),
      numbers: nat(LENGTH),
      writesFrom: constantFrom(0, 0, 2),
    }),
    { minLength: 1, maxLength: 12 },
  ),
  border: nat(12),
});

/** What one call does to its arrays: y keeps something of itself, and only its end is written. */
function make([a, b, y]: readonly Float64Array[], { numbers, writesFrom }: Plan["calls"][number], seed: number): void {
  for (let i = writesFrom; i < numbers; i++) y![i] = (y![i]! * 3 + a![i]! * 5 + b![i]! * 7 + seed) % 1009;
}

const firstNumbers = (i: number) => Float64Array.from({ length: LENGTH }, (_, j) => i * 10 + j);
const none = () => [];

/** The numbers of every tensor after calls 0..border and border..end, replayed one after the other. */
function play({ tensors, calls, border }: Plan, isSpread: boolean): (readonly number[])[] {
  const named = tensors.map(({ isWeights }, i) => tensor(`t${i}`, isWeights ? "weights" : "activations"));
  const homeOf = (one: Matrix | Tensor) => (isSpread ? tensors[named.indexOf(one as Tensor)]!.home : 0);
  const replicasOf = (one: Tensor) =>
    new Set([tensors[named.indexOf(one)]!.replica, 0, 1, 2].slice(0, isSpread ? 4 : 0));
  const copies = named.map((one, i) =>
    Array.from({ length: MEMORIES }, (_, memory) => {
      const isKnown = memory === homeOf(one) || (one.role === "weights" && replicasOf(one).has(memory));
      return isKnown ? firstNumbers(i) : new Float64Array(LENGTH).fill(Number.NaN);
    }),
  );
  const placed = calls.map(({ memory, buffers, numbers }): PlacedCall => {
    const [a, b, y] = buffers.map((i) => named[i % named.length]!);
    const sizes = { a: numbers, b: numbers, y: numbers };
    return { call: callOf(add, { a, b, y }), memory: isSpread ? memory : 0, numbers: { sizes } };
  });
  const replay = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const { call, memory } = placed[i]!;
      const arrays = ["a", "b", "y"].map((name) => copies[named.indexOf(call.buffers[name] as Tensor)]![memory]!);
      make(arrays, calls[i]!, i);
    }
  };
  const middle = Math.min(border, calls.length);
  for (const [from, to] of [
    [0, middle],
    [middle, calls.length],
  ] as const) {
    const plan = planTransfers(placed, from, to, homeOf, replicasOf);
    if (plan === undefined) {
      replay(from, to);
      continue;
    }
    const words = plan.words((one) => named.indexOf(one));
    let next = from;
    for (let at = 0; at < words.length;) {
      const [count, end] = [words[at]!, words[at + 1]!];
      at += 2;
      for (let i = 0; i < count; i++, at += 5) {
        const [source, which, target, same, bytes] = words.subarray(at, at + 5);
        expect(same).toBe(which);
        copies[which!]![target!]!.set(copies[which!]![source!]!.subarray(0, bytes! / 4));
      }
      replay(next, end);
      next = end;
    }
    expect(next).toBe(to);
  }
  return named.map((one, i) => [...copies[i]![homeOf(one)]!]);
}

describe("a plan of transfers", () => {
  it("gives what the calls give in one memory, whatever lies where", () => {
    assert(
      property(plans, (plan) => {
        expect(play(plan, true)).toEqual(play(plan, false));
      }),
      { numRuns: 2000 },
    );
  });

  it("is none where everything is in one memory", () => {
    const [x, y] = [tensor("x"), tensor("y")];
    const placed = [{ call: callOf(add, { a: x, b: x, y }), memory: 1, numbers: { sizes: {} } }];
    expect(planTransfers(placed, 0, 1, () => 1, none)).toBeUndefined();
    expect(planTransfers(placed, 0, 1, () => 0, none)).toBeDefined();
    expect(planTransfers(placed, 1, 1, () => 0, none)).toBeUndefined();
  });

  it("transfers a tensor once, and no more of it than calls use", () => {
    const [x, y, z] = [tensor("x"), tensor("y"), tensor("z")];
    const numbers = { sizes: { a: 2, b: 2, y: 2 } };
    const placed = [
      { call: callOf(add, { a: x, b: x, y }), memory: 0, numbers },
      { call: callOf(add, { a: x, b: y, y: z }), memory: 1, numbers },
      { call: callOf(add, { a: x, b: y, y: z }), memory: 1, numbers },
    ];
    const addresses = new Map([x, y, z].map((one, i) => [one, 100 * i]));
    const words = planTransfers(
      placed,
      0,
      3,
      () => 0,
      () => [],
    )!.words((one, memory) => addresses.get(one)! + memory);
    expect([...words]).toEqual([
      ...segment(1),
      ...segment(3, [0, 0, 1, 1, 8], [0, 100, 1, 101, 8], [0, 200, 1, 201, 8]),
      ...segment(3, [1, 201, 0, 200, 8]),
    ]);
  });
});

describe("the memory of a call", () => {
  it("is that of its matrices, or its cache, or that of the call before", () => {
    const [x, cache, other] = [tensor("x"), tensor("cache", "cache"), tensor("other", "cache")];
    const [first, second] = [matrix("first"), matrix("second")];
    const homes = new Map<Tensor | Matrix, number>([
      [x, 3],
      [cache, 2],
      [other, 0],
      [first, 1],
      [second, 0],
    ]);
    const calls = [
      callOf(rmsNorm, { x, weight: x, y: x }),
      callOf(linear, { x, weight: first, y: x }),
      callOf(attend, { q: x, cache, sourceCache: other, z: x }),
      callOf(add, { a: x, b: x, y: x }),
      callOf(gatedLinear, { x, gate: second, up: second, y: x }),
    ];
    const homeOf = (buffer: Tensor | Matrix) => homes.get(buffer)!;
    expect(memoriesOf(calls, homeOf)).toEqual([1, 1, 2, 2, 0]);
    expect(memoriesOf([calls[0]!, calls[3]!], homeOf)).toEqual([3, 3]);
    expect(memoriesOf([], homeOf)).toEqual([]);
  });
});
