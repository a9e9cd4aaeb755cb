// The wasm device with several memories: what lies where is nothing that a program, a write or a read notices.

import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { add, attend, gatedLinear, type Implementation, linear, rmsNorm, selectRows } from "../../../kernels/index.ts";
import { makeTrial, seededRandom } from "../../../kernels/trial.ts";
import { all, errorOf, numbers, sourceOf } from "../../../tests/support/device-checks.ts";
import type { Device, Matrix, Tensor } from "../device.ts";
import { ProgramBuilder, variable } from "../program.ts";
import { SCRATCH_BYTES, STATIC_BYTES } from "./instance.ts";
import { webAssembly } from "./platform.ts";
import { openWasm } from "./wasm-device.ts";
import type { WasmOptions } from "./wasm-options.ts";

const MEBIBYTE = 2 ** 20;
const WAYS: readonly WasmOptions[] = [{ threads: 2 }, { threads: 3 }, { shareMemory: false }];
const opened: Device[] = [];
afterAll(() => Promise.all(opened.map((one) => one.dispose())));
afterEach(() => vi.restoreAllMocks());

/** Bytes of a memory, whole pages of them: scratch of each thread takes a part, and weights leave half of the rest free. */
function bytesOf({ threads = 2, shareMemory }: WasmOptions): { each: number; usable: number } {
  const taken = STATIC_BYTES + 1024 + (shareMemory === false ? 1 : threads) * SCRATCH_BYTES;
  const each = Math.ceil((taken + 1.5 * MEBIBYTE) / 65536) * 65536;
  return { each, usable: each - taken };
}

/** A device of small memories, at most `memories` of them. */
async function open(options: WasmOptions = {}, memories?: number): Promise<Device> {
  const linearMemoryBytes = bytesOf(options).each;
  const limit = memories === undefined ? {} : { maxMemoryBytes: memories * linearMemoryBytes };
  const device = await openWasm({ threads: 2, linearMemoryBytes, ...limit, ...options });
  opened.push(device);
  return device;
}
function tensorOf(
  on: Device,
  data: Float32Array | Uint32Array,
  role: Tensor["role"] = "activations",
  near?: Matrix,
): Tensor {
  const type = data instanceof Uint32Array ? "u32" : "f32";
  const tensor = on.createTensor("tensor", type, data.length, role, { near });
  on.write({ tensor, data });
  return tensor;
}
/** Takes so many bytes of a memory, the first that has room for them. */
const fill = (on: Device, bytes: number) => on.createTensor("filling", "f32", bytes / 4, "activations");

const DIM = 256;
const params = { inputs: DIM, outputs: DIM, outputBegin: 0, outputStride: DIM, activation: 0, softcap: 0 };

/** So many square matrices, and a program that takes x through all of them, adding biases, with a norm between. */
async function chain(device: Device, count: number) {
  const weights = Array.from({ length: count }, (_, i) => numbers(DIM * DIM, i + 1).map((value) => value / 16));
  const matrices: Matrix[] = [];
  for (const [i, own] of weights.entries()) matrices.push(await device.createMatrix(sourceOf(DIM, DIM, own, `m${i}`)));
  const [x, y] = [
    device.createTensor("x", "f32", 4 * DIM, "activations"),
    device.createTensor("y", "f32", 4 * DIM, "activations"),
  ];
  const bias = tensorOf(device, numbers(DIM, 99), "weights");
  const norm = tensorOf(device, new Float32Array(DIM).fill(1), "weights");
  const builder = new ProgramBuilder("chain");
  const rows = variable("rows");
  for (const [i, weight] of matrices.entries()) {
    builder.call(linear, `m${i}`, { x, weight, bias, residual: undefined, y }, { rows, ...params });
    const shape = { rows, dim: DIM, epsilon: 1e-5, weightOffset: 0 };
    builder.call(rmsNorm, `n${i}`, { x: y, weight: norm, residual: undefined, y: x }, shape);
  }
  return { matrices, x, y, bias, norm, program: builder.build() };
}

/** What the chain gives in one memory, from the same numbers. */
async function chainOfOne(options: WasmOptions, count: number, rows: number): Promise<readonly unknown[]> {
  const device = await open({ ...options, linearMemoryBytes: 2 ** 28 });
  const { x, y, program } = await chain(device, count);
  device.write({ tensor: x, data: numbers(4 * DIM, 7) });
  return device.run(await device.prepare(program), { variables: { rows }, reads: [all(x), all(y)] });
}

describe.each(WAYS)("several memories %o", (options) => {
  it("give the bits of one, for any part of a program", async () => {
    const device = await open(options);
    const { x, y, matrices, bias, norm, program } = await chain(device, 12);
    const before = device.memory();
    expect(before.weights).toBe(12 * DIM * DIM * 4 + 2 * DIM * 4);
    const prepared = await device.prepare(program);
    // replicas of x and y, and of bias or norm, in three memories at least
    const replicas = device.memory().activations - before.activations;
    expect(replicas).toBeGreaterThanOrEqual(3 * 9 * DIM * 4);
    for (const rows of [4, 1, 2]) {
      const want = await chainOfOne(options, 12, rows);
      for (const border of [24, 0, 7, 12]) {
        device.write({ tensor: y, data: new Float32Array(4 * DIM) });
        const steps = [
          { variables: { rows }, writes: [{ tensor: x, data: numbers(4 * DIM, 7) }], end: border },
          { variables: { rows }, begin: border, reads: [all(x), all(y)] },
        ];
        expect(await device.run(prepared, ...steps)).toEqual(want);
      }
    }
    prepared.dispose();
    expect(device.memory()).toEqual(before);
    for (const one of [x, y, bias, norm, ...matrices]) device.destroy(one);
    expect(device.memory()).toEqual({ weights: 0, cache: 0, activations: 0 });
  });

  it("take writes and copies to weights of which there are replicas", async () => {
    const device = await open(options);
    const { x, y, bias, program } = await chain(device, 12);
    const prepared = await device.prepare(program);
    const zeros = { tensor: x, data: new Float32Array(4 * DIM) };
    const last = {
      variables: { rows: 1 },
      writes: [zeros],
      begin: 22,
      end: 23,
      reads: [{ tensor: y, begin: 0, end: DIM }],
    };
    const run = async (step: object = {}) => (await device.run(prepared, { ...last, ...step }))[0];
    expect(await run()).toEqual(numbers(DIM, 99));
    device.write({ tensor: bias, data: Float32Array.of(1, 2, 3), offset: 1 });
    const changed = numbers(DIM, 99);
    changed.set([1, 2, 3], 1);
    expect(await run()).toEqual(changed);
    changed[0] = -5;
    expect(await run({ writes: [zeros, { tensor: bias, data: Float32Array.of(-5) }] })).toEqual(changed);
    const other = tensorOf(device, Float32Array.of(8, 9));
    changed.set([8, 9]);
    expect(await run({ copies: [{ from: other, to: bias, length: 2 }] })).toEqual(changed);
    expect(await device.read(all(bias))).toEqual(changed);
    const writer = new ProgramBuilder("writer");
    writer.call(add, "twice", { a: other, b: other, y: bias }, { rows: 1, dim: 2 });
    const writing = await device.prepare(writer.build());
    await device.run(writing, { variables: {} });
    changed.set([16, 18]);
    expect(await run()).toEqual(changed);
    prepared.dispose();
    device.write({ tensor: other, data: Float32Array.of(1, 2) });
    await device.run(writing, { variables: {} });
    const again = await device.prepare(program);
    changed.set([2, 4]);
    expect((await device.run(again, last))[0]).toEqual(changed);
    device.write({ tensor: other, data: Float32Array.of(3, 5) });
    await device.run(writing, { variables: {} });
    changed.set([6, 10]);
    expect((await device.run(again, last))[0]).toEqual(changed);
  });

  it("bring the matrices of a call together, and programs find them", async () => {
    const device = await open(options);
    const [gates, ups] = [numbers(DIM * DIM, 1), numbers(DIM * DIM, 2)];
    const gate = await device.createMatrix(sourceOf(DIM, DIM, gates, "gate"));
    const fillings = [0, 1, 2].map(() => fill(device, 380_000));
    const up = await device.createMatrix(sourceOf(DIM, DIM, ups, "up"));
    const [x, y, z] = [tensorOf(device, numbers(DIM, 3)), fill(device, 4 * DIM), fill(device, 4 * DIM)];
    const builder = new ProgramBuilder("up alone");
    builder.call(linear, "up", { x, weight: up, bias: undefined, residual: undefined, y }, { rows: 1, ...params });
    const alone = await device.prepare(builder.build());
    const [first] = await device.run(alone, { variables: {}, reads: [all(y)] });
    const both = new ProgramBuilder("gate and up");
    const { softcap: _, ...gated } = params;
    const buffers = { x, gate, up, gateBias: undefined, upBias: undefined, y: z };
    both.call(gatedLinear, "gated", buffers, { rows: 1, ...gated, activation: 1 });
    const [got] = await device.run(await device.prepare(both.build()), { variables: {}, reads: [all(z)] });
    const want = new Float64Array(DIM);
    gatedLinear.reference(
      { x: numbers(DIM, 3), gate: gates, up: ups, gateBias: undefined, upBias: undefined, y: want },
      { rows: 1, ...gated, activation: 1 },
    );
    want.forEach((value, i) => expect(Math.abs(got![i]! - value)).toBeLessThan(1e-3 * (1 + Math.abs(value))));
    expect((await device.run(alone, { variables: {}, reads: [all(y)] }))[0]).toEqual(first);
    fillings.forEach((one) => device.destroy(one));
  });

  it("let a tensor grow where its own is full, and programs find it", async () => {
    const device = await open(options);
    const y = device.createTensor("y", "f32", 4, "activations");
    const x = tensorOf(device, Float32Array.of(1, 2, 3, 4));
    const builder = new ProgramBuilder("doubling");
    builder.call(add, "double", { a: x, b: x, y }, { rows: variable("rows"), dim: 4 });
    const program = await device.prepare(builder.build());
    const free = fill(device, MEBIBYTE / 2);
    const before = device.memory();
    device.resize(x, 300_000);
    expect(await device.read({ tensor: x, begin: 0, end: 6 })).toEqual(Float32Array.of(1, 2, 3, 4, 0, 0));
    device.write({ tensor: x, data: Float32Array.of(5, 6), offset: 4 });
    device.resize(y, 8);
    const [got] = await device.run(program, { variables: { rows: 2 }, reads: [all(y)] });
    expect(got).toEqual(Float32Array.of(2, 4, 6, 8, 10, 12, 0, 0));
    device.resize(x, 4);
    device.resize(y, 4);
    const [again] = await device.run(program, { variables: { rows: 1 }, reads: [all(y)] });
    expect(again).toEqual(Float32Array.of(2, 4, 6, 8));
    program.dispose();
    expect(device.memory()).toEqual(before);
    [x, y, free].forEach((one) => device.destroy(one));
    expect(device.memory().activations).toBe(0);
  });

  it("let what lies near a tensor follow it", async () => {
    const device = await open(options);
    const leader = tensorOf(device, Float32Array.of(1, 2), "cache");
    const follower = device.createTensor("follower", "f32", 2, "cache", { near: leader });
    device.write({ tensor: follower, data: Float32Array.of(3, 4) });
    const y = device.createTensor("y", "f32", 2, "activations");
    fill(device, MEBIBYTE);
    const builder = new ProgramBuilder("sum");
    builder.call(add, "sum", { a: leader, b: follower, y }, { rows: 1, dim: 2 });
    const program = await device.prepare(builder.build());
    const run = () => device.run(program, { variables: {}, reads: [all(y)] });
    expect(await run()).toEqual([Float32Array.of(4, 6)]);
    const { activations } = device.memory();
    device.resize(leader, 150_000);
    expect(await run()).toEqual([Float32Array.of(4, 6)]);
    // a replica of y and none of the follower
    expect(device.memory().activations).toBe(activations + 8);
    device.destroy(leader);
    device.resize(follower, 4);
    expect(await device.read(all(follower))).toEqual(Float32Array.of(3, 4, 0, 0));
  });

  it("let programs take turns where replicas of both find no room, and give everything back", async () => {
    const device = await open(options, 3);
    const { usable } = bytesOf(options);
    const inputs = [1, 2].map((seed) => tensorOf(device, numbers(100_000, seed)));
    const weight = await device.createMatrix(sourceOf(DIM, DIM, numbers(DIM * DIM), "far"));
    const bytes = usable - DIM * DIM * 4 - 600_000;
    const filling = device.createTensor("filling", "f32", bytes / 4, "activations", { near: weight });
    const y = device.createTensor("y", "f32", DIM, "activations");
    const prepare = (x: Tensor) => {
      const builder = new ProgramBuilder("taking turns");
      builder.call(linear, "turn", { x, weight, bias: undefined, residual: undefined, y }, { rows: 1, ...params });
      return device.prepare(builder.build());
    };
    const programs = [await prepare(inputs[0]!), await prepare(inputs[1]!)];
    const run = async (i: number) => (await device.run(programs[i]!, { variables: {}, reads: [all(y)] }))[0]!;
    const [first, second] = [await run(0), await run(1)];
    expect(first).not.toEqual(second);
    for (let turn = 0; turn < 20; turn++) expect(await run(turn % 2)).toEqual(turn % 2 ? second : first);
    device.resize(inputs[0]!, 200_000);
    const error = await errorOf(run(0));
    expect(error.kind).toBe("out-of-memory");
    expect(error.message).toMatch(/"tensor" needs 800000 bytes together in memory 1 of \d; \d+ are free/);
    expect(await run(1)).toEqual(second);
    device.resize(inputs[0]!, 100_000);
    expect(await run(0)).toEqual(first);
    for (const program of programs) program.dispose();
    for (const one of [...inputs, weight, filling, y]) device.destroy(one);
    for (let memory = 0; memory < 3; memory++) expect(fill(device, usable).length).toBe(usable / 4);
    expect(() => fill(device, 64)).toThrow("needs 64 bytes together; 0 are free in one of 3 memories");
  });

  it("attend to keys of two caches that lie apart", async () => {
    const device = await open(options);
    const shape = { rows: 3, heads: 4, kvHeads: 2, headDim: 16, list: 0, slotCount: 40, entryCount: 40 };
    const rule = { keepWindow: 2 ** 32 - 1, sinks: 0, segmented: 0, keepRecent: 0, anchorSeesAnchors: 1 };
    const sample = { params: { ...shape, scale: 0.25, softcap: 0, window: 2 ** 32 - 1, ...rule } };
    const { arrays, packings, wanted } = makeTrial(attend, sample, seededRandom(5), { format: "f32" });
    const buffers: Record<string, Tensor> = {};
    for (const [name, data] of Object.entries(arrays)) {
      const isFar = name === "sourceCache";
      const type = data instanceof Uint32Array ? "u32" : "f32";
      const role = packings[name] ? "cache" : "activations";
      if (isFar) fill(device, 1_250_000);
      buffers[name] = device.createTensor(name, type, data.length, role, {
        packing: packings[name],
        near: isFar ? fill(device, 700_000) : undefined,
      });
      device.write({ tensor: buffers[name], data });
    }
    const call = { kernel: attend, label: "z", buffers, params: sample.params };
    const before = device.memory().activations;
    const program = await device.prepare({ label: "attention", calls: [call] });
    expect(device.memory().activations).toBeGreaterThan(before);
    for (let time = 0; time < 2; time++) {
      const [z] = await device.run(program, { variables: {}, reads: [all(buffers["z"]!)] });
      wanted["z"]!.forEach((value, i) => expect(z![i]).toBeCloseTo(value, 4));
    }
  });

  it("are made while programs run, in the order of the calls", async () => {
    const device = await open(options);
    const x = tensorOf(device, new Float32Array(37));
    const ones = tensorOf(device, new Float32Array(37).fill(1));
    const builder = new ProgramBuilder("counting");
    for (let i = 0; i < 300; i++) builder.call(add, `count.${i}`, { a: x, b: ones, y: x }, { rows: 1, dim: 37 });
    const program = await device.prepare(builder.build());
    const results = [];
    for (let i = 0; i < 8; i++) {
      results.push(device.run(program, { variables: {}, reads: [all(x)] }));
      const large = device.createTensor("large", "f32", 250_000, "activations");
      device.write({ tensor: large, data: Float32Array.of(i), offset: 249_999 });
      results.push(device.run(program, { variables: {}, reads: [{ tensor: large, begin: 249_999, end: 250_000 }] }));
    }
    const got = await Promise.all(results);
    for (let i = 0; i < 8; i++) {
      expect(got[2 * i]).toEqual([new Float32Array(37).fill(300 * (2 * i + 1))]);
      expect(got[2 * i + 1]).toEqual([Float32Array.of(i)]);
    }
  });

  it("are lost with the name of the call when a kernel of a further one traps", async () => {
    const device = await open(options);
    const { x, matrices, program } = await chain(device, 12);
    const indices = tensorOf(device, Uint32Array.of(2 ** 21));
    const y = device.createTensor("y", "f32", DIM, "activations");
    const builder = new ProgramBuilder("wild");
    const buffers = { x, weight: matrices.at(-1)!, bias: undefined, residual: undefined, y };
    builder.call(linear, "blocks.0.fine", buffers, { rows: 1, ...params });
    builder.call(selectRows, "blocks.1.wild", { x, indices, y }, { rows: 1, dim: DIM, sourceRows: 1 });
    await device.prepare(program);
    const error = await errorOf(device.run(await device.prepare(builder.build()), { variables: {} }));
    expect(error.kind).toBe("lost");
    expect(error.message).toContain("blocks.1.wild (select-rows): memory access out of bounds");
    await device.dispose();
  });
});

describe("several memories", () => {
  it("make up for an engine that grants small ones", async () => {
    const real = webAssembly.Memory;
    const most = 4 * MEBIBYTE;
    let refused = 0;
    vi.spyOn(webAssembly, "Memory").mockImplementation(function (descriptor) {
      if ((descriptor.maximum ?? 0) * 65536 <= most) return new real(descriptor);
      refused++;
      throw new RangeError("could not allocate memory");
    });
    const device = await openWasm({ threads: 2 });
    opened.push(device);
    const tensors = [0, 1, 2].map((i) => tensorOf(device, new Float32Array(600_000).fill(i)));
    expect(refused).toBeGreaterThan(0);
    for (const [i, one] of tensors.entries()) {
      expect(await device.read({ tensor: one, begin: 599_999, end: 600_000 })).toEqual(Float32Array.of(i));
    }
    expect(() => fill(device, 5 * MEBIBYTE)).toThrow(
      /"filling" needs 5242880 bytes together; \d+ are free in one of \d/,
    );
  });

  it("are no more than all may have together, and then weights may fill them", async () => {
    const device = await open({}, 2);
    const matrices: Matrix[] = [];
    const create = async () =>
      void matrices.push(await device.createMatrix(sourceOf(DIM, 128, numbers(DIM * 128), "weights")));
    const error = await errorOf(
      (async () => {
        for (;;) await create();
      })(),
    );
    expect(error.kind).toBe("out-of-memory");
    expect(error.message).toMatch(
      /"weights", with room to pack it, needs 262208 bytes together; \d+ are free in one of 2/,
    );
    expect(matrices.length * DIM * 128 * 4).toBeGreaterThan(1.2 * MEBIBYTE);
    device.destroy(matrices.pop()!);
    await create();
    expect(device.memory().weights).toBe(matrices.length * DIM * 128 * 4);
  });

  it("keep a tensor near another while there is room", async () => {
    const device = await open();
    const { matrices } = await chain(device, 6);
    const builder = new ProgramBuilder("last");
    const near = tensorOf(device, numbers(DIM), "cache", matrices.at(-1));
    const y = device.createTensor("y", "f32", DIM, "activations", { near });
    const buffers = { x: near, weight: matrices.at(-1)!, bias: undefined, residual: undefined, y };
    builder.call(linear, "last", buffers, { rows: 1, ...params });
    const before = device.memory();
    await device.prepare(builder.build());
    expect(device.memory()).toEqual(before);
  });

  it("each have the functions of other modules", async () => {
    const hex = `0061736d01000000 010701 60037f7f7f00 02120103656e76066d656d6f727902030080 8004 03020100
      070901056669727374 0000 0a1d011b00 2000280208 200028020 02a0200 200028020 42a0200 92380200 0b`;
    const bytes = Uint8Array.from(hex.replaceAll(/\s/g, "").match(/../g)!, (byte) => Number.parseInt(byte, 16));
    const first: Implementation = { name: "add.first", wasm: "first", requires: [] };
    const device = await open({
      modules: [bytes],
      implementations: (kernel) => (kernel === add ? [first] : kernel.implementations),
    });
    fill(device, MEBIBYTE);
    const cache = device.createTensor("far", "f32", 200_000, "cache");
    device.write({ tensor: cache, data: Float32Array.of(3) });
    const y = device.createTensor("y", "f32", 1, "activations");
    const builder = new ProgramBuilder("first");
    builder.call(add, "first", { a: cache, b: cache, y }, { rows: 1, dim: 1 });
    const before = device.memory().activations;
    const program = await device.prepare(builder.build(), { isTested: false });
    expect(device.memory().activations).toBe(before + 4);
    expect(await device.run(program, { variables: {}, reads: [all(y)] })).toEqual([Float32Array.of(6)]);
  });
});
