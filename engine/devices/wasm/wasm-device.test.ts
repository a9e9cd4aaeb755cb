import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { ACTIVATIONS, add, linear, selectRows } from "../../../kernels/index.ts";
import { all, errorOf, numbers, sourceOf } from "../../../tests/support/device-checks.ts";
import { DeviceError, type Device, type Tensor } from "../device.ts";
import { type Program, ProgramBuilder, variable } from "../program.ts";
import { openWasm } from "./wasm-device.ts";
import type { WasmOptions } from "./wasm-options.ts";

const device = await openWasm({ threads: 2 });
const opened: Device[] = [device];
afterAll(() => Promise.all(opened.map((one) => one.dispose())));
afterEach(() => vi.restoreAllMocks());

async function openAnother(options: WasmOptions = {}): Promise<Device> {
  const another = await openWasm({ threads: 2, ...options });
  opened.push(another);
  return another;
}

function tensorOf(on: Device, data: Float32Array | Uint32Array, label = "tensor"): Tensor {
  const type = data instanceof Uint32Array ? "u32" : "f32";
  const tensor = on.createTensor(label, type, data.length, "activations");
  on.write({ tensor, data });
  return tensor;
}
/** y = x + x: `rows` variable, four numbers a row. */
function doubling(x: Tensor, y: Tensor): Program {
  const builder = new ProgramBuilder("doubling");
  builder.call(add, "double", { a: x, b: x, y }, { rows: variable("rows"), dim: 4 });
  return builder.build();
}
/** Calls that add 1 to x, one after the other. */
function counting(x: Tensor, ones: Tensor, calls: number): Program {
  const builder = new ProgramBuilder("counting");
  for (let i = 0; i < calls; i++) builder.call(add, `count.${i}`, { a: x, b: ones, y: x }, { rows: 1, dim: x.length });
  return builder.build();
}

describe("the wasm device", () => {
  it("says what it is", () => {
    expect(device.name).toBe("wasm");
    expect(device.description).toBe("wasm, 2 threads, relaxed SIMD");
  });

  it("makes tensors of zeros, also where something else lay before", async () => {
    const before = tensorOf(device, numbers(1000));
    device.destroy(before);
    const after = device.createTensor("after", "f32", 1000, "activations");
    expect(await device.read(all(after))).toEqual(new Float32Array(1000));
    device.destroy(after);
  });

  it("carries out writes, runs and reads in the order of the calls, without waiting for each", async () => {
    const x = tensorOf(device, new Float32Array(8));
    const y = device.createTensor("y", "f32", 8, "activations");
    const program = await device.prepare(doubling(x, y));
    const results = [];
    for (let i = 1; i <= 20; i++) {
      device.write({ tensor: x, data: new Float32Array(8).fill(i) });
      results.push(device.run(program, { variables: { rows: 2 } }).then(() => undefined));
      results.push(device.read(all(y)));
      results.push(
        device.run(program, {
          variables: { rows: 1 },
          writes: [{ tensor: x, data: Float32Array.of(-i), offset: 3 }],
          reads: [all(y)],
        }),
      );
    }
    const got = await Promise.all(results);
    for (let i = 1; i <= 20; i++) {
      expect(got[i * 3 - 2]).toEqual(new Float32Array(8).fill(2 * i));
      const last = new Float32Array(8).fill(2 * i);
      last[3] = -2 * i;
      expect(got[i * 3 - 1]).toEqual([last]);
    }
    program.dispose();
    [x, y].forEach((tensor) => device.destroy(tensor));
  });

  it("keeps a tensor's numbers when it is resized, and programs find it", async () => {
    const x = tensorOf(device, Float32Array.of(1, 2, 3, 4));
    const y = device.createTensor("y", "f32", 4, "activations");
    const program = await device.prepare(doubling(x, y));
    await device.run(program, { variables: { rows: 1 } });
    device.resize(x, 8);
    device.resize(y, 8);
    expect(x.length).toBe(8);
    expect(await device.read(all(x))).toEqual(Float32Array.of(1, 2, 3, 4, 0, 0, 0, 0));
    device.write({ tensor: x, data: Float32Array.of(5, 6), offset: 4 });
    const [got] = await device.run(program, { variables: { rows: 2 }, reads: [all(y)] });
    expect(got).toEqual(Float32Array.of(2, 4, 6, 8, 10, 12, 0, 0));
    device.resize(x, 3);
    expect(await device.read(all(x))).toEqual(Float32Array.of(1, 2, 3));
    const { message } = await errorOf(device.run(program, { variables: { rows: 1 } }));
    expect(message).toContain("double: add needs 4 numbers in a");
    expect(message).toContain("has 3");
    program.dispose();
    [x, y].forEach((tensor) => device.destroy(tensor));
  });

  it("counts memory exactly, by role, and gives it back", async () => {
    const before = device.memory();
    const cache = device.createTensor("cache", "f32", 1000, "cache");
    const scratch = device.createTensor("scratch", "u32", 10, "activations");
    const matrix = await device.createMatrix(sourceOf(9, 5, numbers(45)));
    expect(matrix.byteLength).toBe(2 * 8 * 5 * 4);
    expect(device.memory()).toEqual({
      weights: before.weights + 320,
      cache: before.cache + 4000,
      activations: before.activations + 40,
    });
    device.resize(cache, 1500);
    expect(device.memory().cache).toBe(before.cache + 6000);
    [cache, scratch, matrix].forEach((one) => device.destroy(one));
    expect(device.memory()).toEqual(before);
  });

  it("refuses what is not its own, destroyed, or out of range", async () => {
    const x = device.createTensor("x", "f32", 4, "activations");
    const y = device.createTensor("y", "f32", 4, "activations");
    const program = await device.prepare(doubling(x, y));
    expect(() => device.write({ tensor: x, data: new Float32Array(3), offset: 2 })).toThrow("2..5 is not within");
    await expect(device.read({ tensor: x, begin: 0, end: 5 })).rejects.toThrow(RangeError);
    await expect(device.run(program, { variables: {} })).rejects.toThrow("no value for rows");
    await expect(device.run(program, { variables: { rows: -1 } })).rejects.toThrow("rows is -1");
    await expect(device.run(program, { variables: { rows: 1 }, end: 2 })).rejects.toThrow("calls 0..2 of 1");
    device.destroy(y);
    expect((await errorOf(device.run(program, { variables: { rows: 1 } }))).message).toContain(
      '"y", which it uses, was destroyed',
    );
    expect((await errorOf(device.read(all(y)))).kind).toBe("failed");
    program.dispose();
    expect((await errorOf(device.run(program, { variables: { rows: 1 } }))).message).toContain("disposed of");
    device.destroy(x);
  });

  it("replays any part of a program, and the parts add up", async () => {
    const x = tensorOf(device, new Float32Array(37));
    const ones = tensorOf(device, new Float32Array(37).fill(1));
    const program = await device.prepare(counting(x, ones, 300));
    await device.run(program, { variables: {}, begin: 0, end: 100 });
    await device.run(program, { variables: {}, begin: 100, end: 100 });
    const [got] = await device.run(program, { variables: {}, begin: 100, reads: [all(x)] });
    expect(got).toEqual(new Float32Array(37).fill(300));
    program.dispose();
    [x, ones].forEach((tensor) => device.destroy(tensor));
  });

  it("takes the implementation that suits the step's rows", async () => {
    const [inputs, outputs] = [70, 43];
    const weights = numbers(inputs * outputs, 2);
    const weight = await device.createMatrix(sourceOf(outputs, inputs, weights));
    const given = numbers(9 * inputs, 3);
    const x = tensorOf(device, given);
    const y = device.createTensor("y", "f32", 9 * outputs, "activations");
    const builder = new ProgramBuilder("matrix");
    const fixed = { inputs, outputs, outputBegin: 0, outputStride: outputs, activation: ACTIVATIONS.none, softcap: 0 };
    const buffers = { x, weight, bias: undefined, residual: undefined, y };
    builder.call(linear, "product", buffers, { rows: variable("rows"), ...fixed });
    const program = await device.prepare(builder.build());
    expect(program.chosen).toEqual([["linear.few-rows.f32", "linear.many-rows.f32"]]);
    for (const rows of [9, 1, 4, 5, 2]) {
      device.write({ tensor: y, data: new Float32Array(9 * outputs).fill(7) });
      const [got] = await device.run(program, { variables: { rows }, reads: [all(y)] });
      const want = new Float64Array(9 * outputs).fill(7);
      linear.reference(
        { x: given, weight: weights, bias: undefined, residual: undefined, y: want },
        { rows, ...fixed },
      );
      want.forEach((value, i) => expect(got![i]).toBeCloseTo(value, 4));
    }
    const forced = await device.prepare(builder.build(), { only: (_call, { name }) => name === "linear.plain.f32" });
    expect(forced.chosen).toEqual([["linear.plain.f32"]]);
    [program, forced].forEach((one) => one.dispose());
    [x, y, weight].forEach((one) => device.destroy(one));
  });

  it("reads a matrix into memory that was just given back, after all that was ordered for it", async () => {
    const [inputs, outputs] = [16, 64];
    const weights = numbers(inputs * outputs, 5);
    // the leader zeroes the first for long, and then the second, whose memory the matrix and its rows take meanwhile
    const long = device.createTensor("long", "f32", 2 ** 26, "activations");
    const short = device.createTensor("short", "f32", 2 ** 18, "activations");
    device.destroy(short);
    const weight = await device.createMatrix(sourceOf(outputs, inputs, weights));
    const identity = Float32Array.from({ length: inputs ** 2 }, (_, i) => (i % (inputs + 1) === 0 ? 1 : 0));
    const x = tensorOf(device, identity);
    const y = device.createTensor("y", "f32", inputs * outputs, "activations");
    const builder = new ProgramBuilder("columns of a matrix");
    const params = { rows: inputs, inputs, outputs, outputBegin: 0, outputStride: outputs, activation: 0, softcap: 0 };
    builder.call(linear, "product", { x, weight, bias: undefined, residual: undefined, y }, params);
    const program = await device.prepare(builder.build());
    const [columns] = await device.run(program, { variables: {}, reads: [all(y)] });
    const want = Float32Array.from({ length: inputs * outputs }, (_, i) => {
      return weights[(i % outputs) * inputs + Math.floor(i / outputs)]!;
    });
    expect(columns).toEqual(want);
    program.dispose();
    [long, x, y, weight].forEach((one) => device.destroy(one));
  });

  it("keeps the event loop free while all threads compute", async () => {
    const [rows, inputs, outputs] = [256, 1024, 1024];
    const weight = await device.createMatrix(sourceOf(outputs, inputs, numbers(inputs * outputs)));
    const x = tensorOf(device, numbers(rows * inputs));
    const y = device.createTensor("y", "f32", rows * outputs, "activations");
    const builder = new ProgramBuilder("heavy");
    for (let i = 0; i < 40; i++) {
      const params = { rows, inputs, outputs, outputBegin: 0, outputStride: outputs, activation: 0, softcap: 0 };
      builder.call(linear, `heavy.${i}`, { x, weight, bias: undefined, residual: undefined, y }, params);
    }
    const program = await device.prepare(builder.build());
    /** The longest time between two ticks of a timer, and the share of the time in which this thread was at work. */
    const watch = async () => {
      const utilization = performance.eventLoopUtilization();
      const begin = performance.now();
      let [last, longest] = [begin, 0];
      const tick = () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
      };
      const timer = setInterval(tick, 10);
      await device.run(program, { variables: {} });
      tick();
      clearInterval(timer);
      expect(last - begin).toBeGreaterThan(100);
      return { longest, share: performance.eventLoopUtilization(utilization).utilization };
    };
    // other programs may take the processor from this thread at any time: the best of five tries tells about ours
    const tries = [];
    do tries.push(await watch());
    while (tries.length < 5 && tries.at(-1)!.longest > 50);
    expect(Math.min(...tries.map(({ longest }) => longest))).toBeLessThan(50);
    expect(Math.min(...tries.map(({ share }) => share))).toBeLessThan(0.1);
    program.dispose();
    [x, y, weight].forEach((one) => device.destroy(one));
  });
});

describe("several wasm devices", () => {
  it("work at the same time, with one thread or two, to the same bits", async () => {
    const results = await Promise.all(
      [{ threads: 1 }, { threads: 2 }, { threads: 3 }, { shareMemory: false }].map(async (options) => {
        const one = await openAnother({ ...options, deterministic: true });
        expect(one.description).toContain("plain SIMD");
        const [inputs, outputs, rows] = [96, 77, 13];
        const weight = await one.createMatrix(sourceOf(outputs, inputs, numbers(inputs * outputs, 4)));
        const x = tensorOf(one, numbers(rows * inputs, 5));
        const y = one.createTensor("y", "f32", rows * outputs, "activations");
        const builder = new ProgramBuilder("product");
        const params = { rows, inputs, outputs, outputBegin: 0, outputStride: outputs, activation: 1, softcap: 0 };
        builder.call(linear, "product", { x, weight, bias: undefined, residual: undefined, y }, params);
        const [got] = await one.run(await one.prepare(builder.build()), { variables: {}, reads: [all(y)] });
        await one.dispose();
        return got!;
      }),
    );
    expect(results[0]!.some((value) => value !== 0)).toBe(true);
    for (const result of results.slice(1)) expect(result).toEqual(results[0]);
  });

  it.each([true, false])(
    "say with both numbers that there is no room, and go on (shared memory: %s)",
    async (shareMemory) => {
      const small = await openAnother({ maxMemoryBytes: 2 << 20, shareMemory });
      const held = small.createTensor("held", "f32", 1000, "cache");
      const want = 'wasm: "large" needs 4194304 bytes together; ';
      const create = () => small.createTensor("large", "f32", 1 << 20, "cache");
      expect(create).toThrow(want);
      expect(create).toThrow(expect.objectContaining({ kind: "out-of-memory" }));
      const error = await errorOf(small.createMatrix({ ...sourceOf(1024, 1024, new Float32Array(0)), label: "large" }));
      expect(error.kind).toBe("out-of-memory");
      expect(error.message).toMatch(/4194304 bytes together; \d{6,7} are free/);
      expect(() => small.resize(held, 1 << 20)).toThrow(DeviceError);
      expect(small.memory()).toEqual({ weights: 0, cache: 4000, activations: 0 });
      small.write({ tensor: held, data: Float32Array.of(3) });
      expect(await small.read({ tensor: held, begin: 0, end: 2 })).toEqual(Float32Array.of(3, 0));
      await small.dispose();
    },
  );

  it("reject everything pending, and all that follows, once disposed of", async () => {
    const one = await openAnother();
    const x = tensorOf(one, new Float32Array(1 << 16));
    const program = await one.prepare(counting(x, x, 2000));
    const pending = [one.run(program, { variables: {} }), one.read(all(x))].map(errorOf);
    await one.dispose();
    for (const error of await Promise.all(pending)) expect(error.kind).toBe("disposed");
    expect((await errorOf(one.run(program, { variables: {} }))).kind).toBe("disposed");
    expect((await errorOf(one.prepare(program.program))).kind).toBe("disposed");
    expect((await errorOf(one.createMatrix(sourceOf(1, 1, numbers(1))))).kind).toBe("disposed");
    expect(() => one.createTensor("late", "f32", 1, "cache")).toThrow(expect.objectContaining({ kind: "disposed" }));
    await one.dispose();
  });

  it.each([
    ["the leader's", [2 ** 23, 0, 0]],
    ["a helper's", [0, 0, 2 ** 23]],
  ])("are lost with the name of the call when %s kernel traps, and another one can be opened", async (_whose, rows) => {
    const one = await openAnother();
    const x = tensorOf(one, numbers(64));
    const indices = tensorOf(one, Uint32Array.from(rows));
    const y = one.createTensor("y", "f32", 64, "activations");
    const into = one.createTensor("into", "f32", 192, "activations");
    const builder = new ProgramBuilder("wild");
    builder.call(add, "blocks.0.fine", { a: x, b: x, y }, { rows: 1, dim: 64 });
    builder.call(selectRows, "blocks.1.wild", { x, indices, y: into }, { rows: 3, dim: 64, sourceRows: 1 });
    const program = await one.prepare(builder.build());
    const pending = [one.run(program, { variables: {} }), one.read(all(x))].map(errorOf);
    const [first, second] = await Promise.all(pending);
    expect(first!.kind).toBe("lost");
    expect(first!.message).toContain("blocks.1.wild (select-rows): memory access out of bounds");
    expect(second!.kind).toBe("lost");
    expect((await errorOf(one.read(all(x)))).kind).toBe("lost");
    const next = await openAnother();
    expect(await next.read(all(tensorOf(next, Float32Array.of(5))))).toEqual(Float32Array.of(5));
    await next.dispose();
  });
});

describe("creating matrices", () => {
  it("reads whole panels in pieces of 8 MB at most, whatever the number of rows", async () => {
    const [rows, columns] = [5003, 1000];
    const pieces: (readonly [number, number])[] = [];
    const read = (begin: number, end: number) => {
      pieces.push([begin, end]);
      const values = Float32Array.from({ length: (end - begin) * columns }, (_, i) => begin + Math.floor(i / columns));
      return Promise.resolve(new Uint8Array(values.buffer));
    };
    const weight = await device.createMatrix({ label: "long", rows, columns, format: "f32", read });
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces[0]![0]).toBe(0);
    expect(pieces.at(-1)![1]).toBe(rows);
    for (const [begin, end] of pieces) {
      expect(begin % 8).toBe(0);
      expect((end - begin) * columns * 4).toBeLessThanOrEqual(8 << 20);
    }
    const x = tensorOf(device, new Float32Array(columns).fill(1 / columns));
    const y = device.createTensor("y", "f32", rows, "activations");
    const builder = new ProgramBuilder("rows");
    const params = {
      rows: 1,
      inputs: columns,
      outputs: rows,
      outputBegin: 0,
      outputStride: rows,
      activation: 0,
      softcap: 0,
    };
    builder.call(linear, "rows", { x, weight, bias: undefined, residual: undefined, y }, params);
    const program = await device.prepare(builder.build());
    const [got] = await device.run(program, { variables: {}, reads: [all(y)] });
    got!.forEach((value, row) => expect(Math.abs(value - row)).toBeLessThan(0.01 + row * 1e-5));
    program.dispose();
    [x, y, weight].forEach((one) => device.destroy(one));
  });

  it("gives its memory back when reading fails, is cut short or aborted", async () => {
    const before = device.memory();
    const good = sourceOf(16, 8, numbers(128));
    const broken = { ...good, read: () => Promise.reject(new Error("the disk is gone")) };
    await expect(device.createMatrix(broken)).rejects.toThrow("the disk is gone");
    const short = { ...good, read: () => Promise.resolve(new Uint8Array(500)) };
    expect((await errorOf(device.createMatrix(short))).message).toContain("rows 0..16 are 500 bytes; 512 were wanted");
    const controller = new AbortController();
    const aborting = { ...good, read: (begin: number, end: number) => (controller.abort(), good.read(begin, end)) };
    await expect(device.createMatrix(aborting, controller.signal)).rejects.toThrow("abort");
    expect(device.memory()).toEqual(before);
    const room = device.createTensor("room", "f32", 128, "cache");
    device.destroy(room);
  });
});
