// Every wasm implementation against the f64 reference, in every shape of its kernel's table, with relaxed and plain SIMD,
// as one thread and as two. Threads share nothing inside a kernel but what is left to take, so here they run one after the
// other, in one memory.

import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  boundOf,
  type Implementation,
  type Kernel,
  type Sample,
  type WasmImplementation,
} from "../../../kernels/kernel.ts";
import { matrixByteLength, packRows, type MatrixFormat } from "../../../kernels/matrix/matrix.ts";
import { cacheFormats } from "../../../kernels/cache/cache.ts";
import { linear } from "../../../kernels/linear/linear.ts";
import { madeUp, trialsWithNone } from "../../../kernels/not-numbers.ts";
import { kernelShapes } from "../../../kernels/shapes.ts";
import { compare, makeTrial, seededRandom, type Trial, type TrialMatrix } from "../../../kernels/trial.ts";
import { STATIC_BYTES } from "./instance.ts";
import { hasRelaxedSimd, webAssembly } from "./platform.ts";

const PAGE = 65536;
const SCRATCH_BEGIN = PAGE;
const modules = ["kedge-relaxed.wasm", "kedge-simd.wasm"] as const;
const formats: readonly MatrixFormat[] = ["f32", "f16", "bf16", "int8", "int4"];
type KernelFunction = (call: number, thread: number, threads: number) => void;

expect(hasRelaxedSimd()).toBe(true);

const packed = new WeakMap<TrialMatrix, Uint8Array>();

/** A trial's matrix as the kernels read it; packed once for all implementations, threads and modules. */
function packedBytes(matrix: TrialMatrix): Uint8Array {
  const known = packed.get(matrix);
  if (known) return known;
  const { bytes, format, quantize = format, rows, columns } = matrix;
  const shape = { rows, columns, format: quantize, stored: format, layout: "panels" } as const;
  const target = new Uint8Array(matrixByteLength(shape));
  packRows(shape, bytes, 0, target);
  packed.set(matrix, target);
  return target;
}

/** One instance with memory of its own, and the means to run a trial in it. */
async function open(file: string) {
  const path = new URL(`../../../dist/${file}`, import.meta.url);
  if (!existsSync(path)) throw new Error(`dist/${file} is missing: run \`npm run build\` first`);
  const memory = new webAssembly.Memory({ initial: 256, maximum: 65536 });
  const module = await webAssembly.compile(readFileSync(path));
  const functions = new webAssembly.Instance(module, { env: { memory } }).exports as unknown as Record<
    string,
    KernelFunction
  > & {
    heapBase(): number;
    scratchBytes(): number;
    setScratch(address: number): void;
  };
  functions.setScratch(SCRATCH_BEGIN);
  /** Makes places one after the other, from the same beginning each time. */
  function placer() {
    let next = 16 * PAGE;
    return (byteLength: number) => {
      const address = next;
      next = Math.ceil((next + byteLength) / 64) * 64 + 64;
      const missing = Math.ceil((next - memory.buffer.byteLength) / PAGE);
      if (missing > 0) memory.grow(missing);
      return address;
    };
  }
  return {
    functions,
    memory,
    places: (...byteLengths: number[]) => byteLengths.map(placer()),
    run(trial: Trial, implementation: WasmImplementation, threads: number) {
      const place = placer();
      const addresses: Record<string, number> = {};
      for (const [name, array] of Object.entries(trial.arrays)) {
        addresses[name] = place(array.byteLength);
        new Uint32Array(memory.buffer, addresses[name], array.length).set(new Uint32Array(array.buffer));
      }
      for (const [name, matrix] of Object.entries(trial.matrices)) {
        const bytes = packedBytes(matrix);
        addresses[name] = place(bytes.byteLength);
        new Uint8Array(memory.buffer, addresses[name], bytes.byteLength).set(bytes);
      }
      const { kernel, params } = trial;
      const call = place(4 * (Object.keys(kernel.buffers).length + Object.keys(kernel.params).length));
      const view = new DataView(memory.buffer);
      let word = call;
      for (const name of Object.keys(kernel.buffers)) view.setUint32((word += 4) - 4, addresses[name] ?? 0, true);
      for (const [name, type] of Object.entries(kernel.params)) {
        if (type === "f32") view.setFloat32((word += 4) - 4, params[name]!, true);
        else view.setUint32((word += 4) - 4, params[name]!, true);
      }
      for (let thread = 0; thread < threads; thread++) functions[implementation.wasm]!(call, thread, threads);
      return Object.fromEntries(
        Object.keys(trial.wanted).map((name) => {
          const { length } = trial.arrays[name]!;
          const isWord = trial.arrays[name] instanceof Uint32Array;
          const array = new (isWord ? Uint32Array : Float32Array)(memory.buffer, addresses[name], length);
          return [name, array.slice()];
        }),
      );
    },
  };
}

function isWasm(implementation: Implementation): implementation is WasmImplementation {
  return "wasm" in implementation;
}

/** Whether an implementation is for this sample. */
function isMeant(kernel: Kernel, implementation: Implementation, { params, absent }: Sample, format: MatrixFormat) {
  const { rows, formats: own, fits } = implementation;
  const count = params["rows"]!;
  if (count < (rows?.min ?? 1) || count > (rows?.max ?? Infinity) || own?.includes(format) === false) return false;
  const present = new Set(Object.keys(kernel.buffers).filter((name) => !absent?.includes(name)));
  const limits = { subgroupSize: 0, maxWorkgroupSize: 0, maxWorkgroupBytes: 0 };
  return fits?.({ params, present, formats: {}, features: new Set(), ...limits }) ?? true;
}

/** The most inputs that an implementation says it takes. */
function longestInputs({ fits }: WasmImplementation): number {
  const setting = { present: new Set<string>(), formats: {}, features: new Set<string>() };
  const limits = { subgroupSize: 0, maxWorkgroupSize: 0, maxWorkgroupBytes: 0 };
  const takes = (inputs: number) => fits!({ params: { inputs }, ...setting, ...limits });
  let [least, most] = [32, 1 << 20];
  while (most - least > 1) {
    const middle = (least + most) >> 1;
    if (takes(middle)) least = middle;
    else most = middle;
  }
  return least;
}

const opened = await Promise.all(modules.map(async (file) => [file, await open(file)] as const));

describe.each(opened)("%s", (_file, module) => {
  it("leaves everything above the first page to the device", () => {
    expect(module.functions.heapBase()).toBeLessThanOrEqual(STATIC_BYTES);
  });

  it.each(["linear.many-rows.f32", "linear.many-rows.rounded.int8"])(
    "keeps the longest rows that %s takes within its scratch",
    (name) => {
      const one = linear.implementations.filter(isWasm).find((implementation) => implementation.name === name)!;
      const inputs = longestInputs(one);
      expect(inputs).toBeGreaterThan(28_672); // the longest of Llama 2 and 3
      const format = one.formats![0]!;
      const matrix = matrixByteLength({ rows: 8, columns: inputs, format, layout: "panels" });
      const [x, weight, y, call] = module.places(6 * inputs * 4, matrix, 6 * 8 * 4, 48);
      const { buffer } = module.memory;
      new Float32Array(buffer, x, 6 * inputs).fill(1);
      new Uint8Array(buffer, weight, matrix).fill(0);
      const behind = new Uint8Array(buffer, SCRATCH_BEGIN + module.functions.scratchBytes(), 4096).fill(171);
      new Uint32Array(buffer, call, 12).set([x!, weight!, 0, 0, y!, 6, inputs, 8, 0, 8, 0, 0]);
      module.functions[one.wasm]!(call!, 0, 1);
      expect(behind.every((byte) => byte === 171)).toBe(true);
      expect([...new Float32Array(buffer, y, 48)]).toEqual(Array.from({ length: 48 }, () => 0));
    },
  );
});

describe.each(kernelShapes.map((entry) => [entry.kernel.name, entry] as const))("%s", (_name, { kernel, shapes }) => {
  const all = [...kernel.samples, ...shapes];
  const uses = Object.values(kernel.buffers);
  const hasCache = uses.some((use) => use.startsWith("cache"));
  const tried = uses.some((use) => use.startsWith("matrix")) ? formats : hasCache ? cacheFormats : formats.slice(0, 1);
  const implementations = kernel.implementations.filter(isWasm);

  it.each(tried)("makes no numbers of NaN and Infinity: %s", (format) => {
    for (const sample of kernel.samples) {
      for (const one of trialsWithNone(kernel, sample, format)) {
        const { trial } = one;
        for (const implementation of implementations.filter((own) => isMeant(kernel, own, sample, format))) {
          for (const [file, module] of opened) {
            const wrong = madeUp(
              one,
              module.run(trial, implementation, 1),
              boundOf(kernel, implementation, trial.params),
            );
            if (wrong)
              expect.fail(`${file}, ${implementation.name}, ${JSON.stringify(sample)}: ${JSON.stringify(wrong)}`);
          }
        }
      }
    }
  });

  it.each(tried)("agrees with its reference: %s", (format) => {
    const used = new Set<string>();
    for (const [i, sample] of all.entries()) {
      const trial = makeTrial(kernel, sample, seededRandom(i + 1), { format });
      for (const implementation of implementations.filter((one) => isMeant(kernel, one, sample, format))) {
        used.add(implementation.name);
        const bound = boundOf(kernel, implementation, trial.params);
        for (const [file, module] of opened) {
          for (const threads of [1, 2]) {
            const wrong = compare(trial, module.run(trial, implementation, threads), bound);
            if (wrong === null) continue;
            const { buffer, index, got, want } = wrong;
            const where = `${file}, ${implementation.name}, ${threads} threads, ${JSON.stringify(sample)}`;
            expect.fail(`${where}: ${buffer}[${index}] is ${got}, not ${want}`);
          }
        }
      }
    }
    const own = implementations.filter((one) => one.formats?.includes(format) ?? true);
    expect([...used].sort()).toEqual(own.map(({ name }) => name).sort());
    expect(own.length).toBeGreaterThan(0);
  });
});
