import { beforeAll, describe, expect, test } from "vitest";
import { ACTIVATIONS, add, embed, gatedLinear, linear, rmsNorm, selectRows } from "../../../kernels/index.ts";
import { DeviceError, type Device, type Matrix, type MatrixSource, type Tensor } from "../device.ts";
import { ProgramBuilder, variable, type Program } from "../program.ts";
import { adding, all, errorOf, numbers, open, sourceOf, tensorOf } from "../../../tests/support/webgpu.ts";
import type { WebGpuDevice } from "./webgpu-device.ts";

let device: WebGpuDevice;
beforeAll(async () => {
  device = await open();
});

describe("tensors", () => {
  test("are zeros, and hold what is written", async () => {
    const tensor = device.createTensor("t", "u32", 5, "activations");
    expect(await device.read(all(tensor))).toEqual(new Uint32Array(5));
    device.write({ tensor, data: Uint32Array.of(7, 8), offset: 2 });
    expect(await device.read({ tensor, begin: 1, end: 4 })).toEqual(Uint32Array.of(0, 7, 8));
    expect(await device.read({ tensor, begin: 3, end: 3 })).toEqual(new Uint32Array(0));
    device.destroy(tensor);
  });

  test("keep their numbers when they grow, and lose the last when they shrink", async () => {
    const tensor = tensorOf(device, Float32Array.of(1, 2, 3, 4, 5));
    device.resize(tensor, 3);
    device.resize(tensor, 9);
    expect(tensor.length).toBe(9);
    expect(await device.read(all(tensor))).toEqual(Float32Array.of(1, 2, 3, 0, 0, 0, 0, 0, 0));
    device.destroy(tensor);
  });

  test("that are too large are refused with both numbers", () => {
    const limit = device.facts.limits["maxStorageBufferBindingSize"]!;
    const make = (length: number) => device.createTensor("blocks.0.cache", "f32", length, "cache");
    expect(() => make(2 ** 40)).toThrow(
      expect.objectContaining({
        kind: "out-of-memory",
        message: `tensor "blocks.0.cache" takes ${2 ** 42} bytes; this adapter binds ${Math.floor(limit / 16) * 16} at most`,
      }),
    );
    const small = make(4);
    expect(() => device.resize(small, limit)).toThrow(DeviceError);
    expect(small.length).toBe(4);
    device.destroy(small);
  });

  test("refuse ranges and types that are not theirs", async () => {
    const tensor = device.createTensor("t", "f32", 4, "activations");
    expect(() => device.write({ tensor, data: new Float32Array(3), offset: 2 })).toThrow("has 4 numbers; 2..5");
    expect(() => device.write({ tensor, data: new Uint32Array(1) })).toThrow("holds f32; a Uint32Array");
    await expect(device.read({ tensor, begin: 2, end: 5 })).rejects.toThrow("has 4 numbers; 2..5");
    device.destroy(tensor);
    expect(() => device.write({ tensor, data: new Float32Array(1) })).toThrow('"t" is destroyed');
  });

  test("are counted to the byte, by role", async () => {
    const one = await open();
    const cache = one.createTensor("k", "f32", 100, "cache");
    const activations = one.createTensor("x", "f32", 3, "activations");
    const matrix = await one.createMatrix(sourceOf(10, 33, numbers(330)));
    expect(one.memory()).toEqual({ weights: 10 * 64 * 4, cache: 400, activations: 16 });
    expect(matrix.byteLength).toBe(10 * 64 * 4);
    one.resize(cache, 200);
    expect(one.memory().cache).toBe(800);
    for (const thing of [cache, activations, matrix]) one.destroy(thing);
    expect(one.memory()).toEqual({ weights: 0, cache: 0, activations: 0 });
  });
});

describe("matrices", () => {
  test("are read in pieces, and the signal ends it", async () => {
    const ranges: [number, number][] = [];
    const columns = 1 << 16;
    const source: MatrixSource = {
      ...sourceOf(80, columns, new Float32Array()),
      read: (begin, end) => {
        ranges.push([begin, end]);
        return Promise.resolve(new Uint8Array((end - begin) * columns * 4));
      },
    };
    device.destroy(await device.createMatrix(source));
    expect(ranges).toEqual([[0, 32], [32, 64], [64, 80]]); // prettier-ignore
    const controller = new AbortController();
    const stopped = device.createMatrix(
      { ...source, read: (begin, end) => (controller.abort(), source.read(begin, end)) },
      controller.signal,
    );
    await expect(stopped).rejects.toThrow("aborted");
    expect(device.memory().weights).toBe(0);
  });

  test("with a row beyond the binding limit are refused", async () => {
    const one = await open({ maxBindingBytes: 1024 });
    const error = await errorOf(one.createMatrix(sourceOf(2, 512, numbers(1024), "head.weight")));
    expect(error.kind).toBe("out-of-memory");
    expect(error.message).toBe('a row of matrix "head.weight" takes 2048 bytes; this adapter binds 1024 at most');
  });

  // 50 rows of 64 columns take 12800 bytes: four pieces of at most 16 rows
  const [rows, dim, outputs] = [3, 64, 50];
  async function embedded(on: Device, y: Tensor, table: Matrix): Promise<Program> {
    const builder = new ProgramBuilder("embed");
    const tokens = tensorOf(on, Uint32Array.of(3, 49, 16, 17), "tokens");
    builder.call(
      embed,
      "embed",
      { tokens, positions: tokens, table, positionTable: undefined, vectors: undefined, y },
      { rows: 4, dim, vocabSize: 50, tableBegin: 0, tableEnd: 50, contextLength: 0, vectorCount: 0, scale: 2 },
    );
    return builder.build();
  }
  async function results(on: Device): Promise<readonly [string, readonly number[]][]> {
    const x = tensorOf(on, numbers(rows * dim), "x");
    const bias = tensorOf(on, numbers(outputs, 5), "bias");
    const residual = tensorOf(on, numbers(rows * outputs, 6), "residual");
    const weight = await on.createMatrix(sourceOf(outputs, dim, numbers(outputs * dim, 2)));
    const up = await on.createMatrix(sourceOf(outputs, dim, numbers(outputs * dim, 3)));
    const [y, gated] = ["y", "gated"].map((label) => on.createTensor(label, "f32", rows * outputs, "activations"));
    const picked = on.createTensor("picked", "f32", 4 * dim, "activations");
    const builder = new ProgramBuilder("linear");
    const shape = { rows, inputs: dim, outputs, outputBegin: 0, outputStride: outputs };
    builder.call(
      linear,
      "linear",
      { x, weight, bias, residual, y: y! },
      { ...shape, activation: ACTIVATIONS.gelu, softcap: 0 },
    );
    builder.call(
      gatedLinear,
      "gated",
      { x, gate: weight, up, gateBias: bias, upBias: undefined, y: gated! },
      { ...shape, activation: ACTIVATIONS.silu },
    );
    const programs = [builder.build(), await embedded(on, picked, weight)];
    const reads = [[all(y!), all(gated!)], [all(picked)]];
    const arrays = await Promise.all(
      programs.map(async (program, i) => on.run(await on.prepare(program), { variables: {}, reads: reads[i]! })),
    );
    return arrays.flat().map((array, i) => [["linear", "gated", "embed"][i]!, [...array]] as const);
  }

  test("split by rows give the same results as whole ones", async () => {
    const split = await open({ maxBindingBytes: 16 * dim * 4 });
    const whole = await results(device);
    expect(await results(split)).toEqual(whole);
    expect(whole.map(([name, values]) => [name, values.some((value) => value !== 0)])).toEqual([
      ["linear", true],
      ["gated", true],
      ["embed", true],
    ]);
  });

  test("split otherwise than their partners are refused by name", async () => {
    const one = await open({ maxBindingBytes: 4096 });
    const gate = await one.createMatrix(sourceOf(50, 64, numbers(3200)));
    const half = { ...sourceOf(50, 64, numbers(3200), "up"), format: "bf16" as const };
    const up = await one.createMatrix({
      ...half,
      read: (begin, end) => Promise.resolve(new Uint8Array((end - begin) * 128)),
    });
    const x = tensorOf(one, numbers(64));
    const y = one.createTensor("y", "f32", 50, "activations");
    const builder = new ProgramBuilder("gated");
    builder.call(
      gatedLinear,
      "blocks.0.mlp",
      { x, gate, up, gateBias: undefined, upBias: undefined, y },
      { rows: 1, inputs: 64, outputs: 50, outputBegin: 0, outputStride: 50, activation: 1 },
    );
    const error = await errorOf(one.prepare(builder.build()));
    expect(error.kind).toBe("unfit");
    expect(error.message).toContain("blocks.0.mlp");
  });
});

describe("programs", () => {
  test("take the step's variables, and write only what they say", async () => {
    const [a, b] = [tensorOf(device, numbers(16)), tensorOf(device, numbers(16, 2))];
    const y = device.createTensor("y", "f32", 16, "activations");
    const executable = await device.prepare(adding(a, b, y));
    const [x, z] = [numbers(16), numbers(16, 2)];
    const sums = (count: number) => x.map((value, i) => (i < count ? Math.fround(value + z[i]!) : 0));
    expect(await device.run(executable, { variables: { rows: 0 }, reads: [all(y)] })).toEqual([sums(0)]);
    expect(await device.run(executable, { variables: { rows: 1 }, reads: [all(y)] })).toEqual([sums(4)]);
    expect(await device.run(executable, { variables: { rows: 4 }, reads: [all(y)] })).toEqual([sums(16)]);
    await expect(device.run(executable, { variables: {} })).rejects.toThrow('the step gives no value for "rows"');
    await expect(device.run(executable, { variables: { rows: 0.5 } })).rejects.toThrow("rows is 0.5");
  });

  test("take effect in the order of the calls, without awaiting", async () => {
    const [a, b] = [tensorOf(device, new Float32Array(4)), tensorOf(device, new Float32Array(4))];
    const y = device.createTensor("y", "f32", 4, "activations");
    const executable = await device.prepare(adding(a, b, y));
    const reads = [all(y)];
    const outcomes = [1, 2, 3].map((value) => {
      const writes = [{ tensor: a, data: new Float32Array(4).fill(value) }];
      return device.run(executable, { variables: { rows: 1 }, writes, reads });
    });
    device.write({ tensor: b, data: new Float32Array(4).fill(10) });
    outcomes.push(device.run(executable, { variables: { rows: 1 }, reads }));
    const later = device.read(all(b));
    expect((await Promise.all(outcomes)).map(([array]) => array![0])).toEqual([1, 2, 3, 13]);
    expect((await later)[0]).toBe(10);
  });

  test("follow tensors that were resized, and refuse those that became too short", async () => {
    const [a, b] = [tensorOf(device, numbers(8)), tensorOf(device, numbers(8, 2))];
    const y = device.createTensor("y", "f32", 8, "activations");
    const executable = await device.prepare(adding(a, b, y));
    const reads = () => [all(y)];
    const [before] = await device.run(executable, { variables: { rows: 2 }, reads: reads() });
    for (const tensor of [a, b, y]) device.resize(tensor, 40);
    const [after] = await device.run(executable, { variables: { rows: 2 }, reads: reads() });
    expect(after!.slice(0, 8)).toEqual(before);
    device.resize(y, 4);
    const error = await errorOf(device.run(executable, { variables: { rows: 2 } }));
    expect(error.message).toBe('blocks.0.add: add needs 8 numbers in y; "y" has 4');
  });

  test("replay a part of their calls", async () => {
    const x = tensorOf(device, Float32Array.of(1, 1, 1, 1));
    const [y, z] = ["y", "z"].map((label) => device.createTensor(label, "f32", 4, "activations"));
    const builder = new ProgramBuilder("parts");
    builder.call(add, "first", { a: x, b: x, y: y! }, { rows: 1, dim: 4 });
    builder.call(add, "second", { a: x, b: y!, y: z! }, { rows: 1, dim: 4 });
    const executable = await device.prepare(builder.build());
    const read = async (begin: number, end: number) =>
      (await device.run(executable, { variables: {}, begin, end, reads: [all(y!), all(z!)] })).map(([value]) => value);
    expect(await read(1, 2)).toEqual([0, 1]);
    expect(await read(0, 1)).toEqual([2, 1]);
    expect(await read(0, 2)).toEqual([2, 3]);
    executable.dispose();
    await expect(device.run(executable, { variables: {} })).rejects.toThrow("is disposed");
  });

  test("tell which implementation each call uses, by the rows of the step", async () => {
    const x = tensorOf(device, numbers(7 * 32));
    const weight = await device.createMatrix(sourceOf(8, 32, numbers(256)));
    const y = device.createTensor("y", "f32", 56, "activations");
    const builder = new ProgramBuilder("linear");
    const params = { inputs: 32, outputs: 8, outputBegin: 0, outputStride: 8, activation: 0, softcap: 0 };
    const buffers = { x, weight, bias: undefined, residual: undefined, y };
    builder.call(linear, "variable", buffers, { rows: variable("rows"), ...params });
    builder.call(linear, "fixed", buffers, { rows: 7, ...params });
    const executable = await device.prepare(builder.build());
    const tiles = [8, 16, 32].map((tile) => `tiles.broadcast${tile}`);
    const some = ["row.subgroups", "rows.subgroups", ...tiles].map((name) => `linear.${name}.f32`);
    expect(executable.chosen).toEqual([some, ["linear.tiles.broadcast8.f32"]]);
    for (const rows of [1, 2, 4, 5]) await device.run(executable, { variables: { rows } });
  });

  test("refuse a tensor that is read and written, and one of another device", async () => {
    const x = tensorOf(device, numbers(4), "x");
    const error = await errorOf(device.prepare(adding(x, x, x)));
    expect(error.message).toContain('add is given "x" as a and as y, which it writes');
    const other = await open();
    const y = other.createTensor("y", "f32", 4, "activations");
    expect((await errorOf(device.prepare(adding(x, x, y)))).message).toContain(
      '"y" is destroyed, or belongs to another',
    );
  });

  test("are prepared with progress, once per pipeline, and stop at the signal", async () => {
    const one = await open();
    const x = tensorOf(one, numbers(32));
    const y = one.createTensor("y", "f32", 32, "activations");
    const builder = new ProgramBuilder("norms");
    const params = { rows: 1, dim: 32, epsilon: 1e-5, weightOffset: 0 };
    for (let i = 0; i < 3; i++) {
      builder.call(rmsNorm, `norm.${i}`, { x, weight: x, residual: undefined, y }, params);
    }
    const progress: [number, number][] = [];
    await one.prepare(builder.build(), { onProgress: (done, of) => progress.push([done, of]) });
    expect(progress).toEqual([[1, 4], [2, 4], [3, 4], [4, 4]]); // prettier-ignore
    await expect(one.prepare(builder.build(), { signal: AbortSignal.abort() })).rejects.toThrow("aborted");
  });

  test("leave the event loop free while they run", async () => {
    const x = tensorOf(device, numbers(512 * 512));
    const weight = await device.createMatrix(sourceOf(512, 512, numbers(512 * 512)));
    const y = device.createTensor("y", "f32", 512 * 512, "activations");
    const builder = new ProgramBuilder("long");
    const params = {
      rows: 512,
      inputs: 512,
      outputs: 512,
      outputBegin: 0,
      outputStride: 512,
      activation: 0,
      softcap: 0,
    };
    const buffers = { x, weight, bias: undefined, residual: undefined, y };
    for (let i = 0; i < 24; i++) builder.call(linear, `linear.${i}`, buffers, params);
    const executable = await device.prepare(builder.build());
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    const begin = performance.now();
    await device.run(executable, { variables: {} });
    clearInterval(timer);
    const elapsed = performance.now() - begin;
    expect(elapsed).toBeGreaterThan(100);
    expect(elapsed / ticks).toBeLessThan(50);
  });
});

test("rows are gathered by number, u32 inputs among them", async () => {
  const x = tensorOf(device, Float32Array.of(1, 2, 3, 4, 5, 6));
  const indices = tensorOf(device, Uint32Array.of(2, 0));
  const y = device.createTensor("y", "f32", 4, "activations");
  const builder = new ProgramBuilder("gather");
  builder.call(selectRows, "gather", { x, indices, y }, { rows: 2, dim: 2, sourceRows: 3 });
  const [array] = await device.run(await device.prepare(builder.build()), { variables: {}, reads: [all(y)] });
  expect(array).toEqual(Float32Array.of(5, 6, 1, 2));
});
