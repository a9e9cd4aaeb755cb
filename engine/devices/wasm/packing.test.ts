// The vector packers give the very bytes of kernels/matrix: rows as stored, quantized on the way, and quantized already.

import { readFileSync } from "node:fs";
import { assert, constantFrom, float, integer, nat, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { f32ToF16 } from "../../../kernels/matrix/float16.ts";
import {
  bytesPerWeight,
  decodeWeights,
  matrixByteLength,
  packRows,
  type MatrixFormat,
  type StoredFormat,
} from "../../../kernels/matrix/matrix.ts";
import type { QuantizedFormat } from "../../../kernels/matrix/quantize.ts";
import { quantizeRows } from "../../../kernels/matrix/quantized-rows.ts";
import { packCall, STORED_CODES, wordsOf } from "../../../kernels/matrix/packing-calls.ts";
import { seededRandom } from "../../../kernels/trial.ts";
import { isFullExtent } from "../../../tests/support/extent.ts";
import { hasRelaxedSimd, webAssembly } from "./platform.ts";
import { openQuantizer } from "./quantizer.ts";

const PAGE = 65536;
const [FROM, TO, CALL] = [16 * PAGE, 64 * PAGE, 2 * PAGE];
const storedFormats: readonly StoredFormat[] = ["f32", "f16", "bf16"];
const quantizedFormats: readonly QuantizedFormat[] = ["int8", "int4"];

expect(hasRelaxedSimd()).toBe(true);

async function open(file: string) {
  const memory = new webAssembly.Memory({ initial: 128, maximum: 65536 });
  const module = await webAssembly.compile(readFileSync(new URL(`../../../dist/${file}`, import.meta.url)));
  const functions = new webAssembly.Instance(module, { env: { memory } }).exports as unknown as Record<
    string,
    (...words: number[]) => void
  >;
  functions["setScratch"]!(PAGE);
  /** The panels, and 32 bytes behind them that nobody may touch. */
  return (
    source: Uint8Array,
    rows: number,
    columns: number,
    stored: MatrixFormat,
    format: MatrixFormat,
    threads = 1,
  ) => {
    const byteLength = matrixByteLength({ rows, columns, format, layout: "panels" });
    new Uint8Array(memory.buffer, FROM, source.length + 64).fill(0xee).set(source);
    const target = new Uint8Array(memory.buffer, TO, byteLength + 32).fill(0x99);
    const isQuantized = format === "int8" || format === "int4";
    const kind = isQuantized ? STORED_CODES[stored] : bytesPerWeight(stored);
    new Uint32Array(memory.buffer, CALL, 5).set(wordsOf(packCall, { from: FROM, to: TO, rows, columns, kind }));
    const name = isQuantized ? (format === "int8" ? "packInt8" : "packInt4") : "packStored";
    for (let thread = 0; thread < threads; thread++) functions[name]!(CALL, thread, threads);
    expect([...target.subarray(byteLength)]).toEqual(Array.from({ length: 32 }, () => 0x99));
    return target.slice(0, byteLength);
  };
}

/** What kernels/matrix makes of it. */
function packed(source: Uint8Array, rows: number, columns: number, stored: MatrixFormat, format: MatrixFormat) {
  const shape = { rows, columns, stored, format, layout: "panels" } as const;
  const target = new Uint8Array(matrixByteLength(shape));
  packRows(shape, source, 0, target);
  return target;
}

/** Weights as a file stores them. */
function store(weights: Float32Array, stored: StoredFormat): Uint8Array {
  if (stored === "f32") return new Uint8Array(weights.slice().buffer);
  const upper = new Uint32Array(weights.slice().buffer);
  return new Uint8Array(
    Uint16Array.from(weights, (value, i) => (stored === "f16" ? f32ToF16(value) : upper[i]! >>> 16)).buffer,
  );
}

function normalWeights(length: number, seed: number, scale = 1): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => random.normal() * scale);
}

const opened = await Promise.all(
  ["kedge-relaxed.wasm", "kedge-simd.wasm"].map(async (file) => [file, await open(file)] as const),
);

describe.each(opened)("%s", (_file, pack) => {
  it.each(storedFormats)("packs %s weights as they are", (format) => {
    for (const rows of [1, 3, 4, 5, 7, 8, 9, 12, 23]) {
      for (const columns of [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 40]) {
        const source = Uint8Array.from(
          { length: rows * columns * bytesPerWeight(format) },
          (_, i) => (i * 73 + 11) % 256,
        );
        const want = packed(source, rows, columns, format, format);
        for (const threads of [1, 2, 3]) expect(pack(source, rows, columns, format, format, threads)).toEqual(want);
      }
    }
  });

  describe.each(quantizedFormats)("%s", (format) => {
    it("packs quantized rows, whole and broken groups", () => {
      for (const rows of [1, 3, 4, 5, 8, 9, 23]) {
        for (const columns of [1, 2, 31, 32, 33, 64, 75, 96]) {
          const source = quantizeRows(format, normalWeights(rows * columns, rows), columns);
          const want = packed(source, rows, columns, format, format);
          for (const threads of [1, 2, 3]) expect(pack(source, rows, columns, format, format, threads)).toEqual(want);
        }
      }
    });

    it.each(storedFormats)("quantizes %s weights to the same bits", (stored) => {
      assert(
        property(
          integer({ min: 1, max: 19 }),
          integer({ min: 1, max: 100 }),
          nat(),
          nat(12),
          (rows, columns, seed, power) => {
            const source = store(normalWeights(rows * columns, seed, 10 ** (power - 8)), stored);
            expect(pack(source, rows, columns, stored, format, 2)).toEqual(
              packed(source, rows, columns, stored, format),
            );
          },
        ),
        { numRuns: isFullExtent ? 150 : 50 },
      );
    });

    it("quantizes any numbers to the same bits: zeros of both signs, subnormals, infinities, NaN, all equal", () => {
      const odd = [0, -0, 1e-45, -1e-40, 3e38, -3e38, Infinity, -Infinity, NaN, 65504, 65520, 6e-8, -6e-8, 1, -1];
      const number = constantFrom(...odd);
      assert(
        property(
          number,
          number,
          float(),
          integer({ min: 1, max: 40 }),
          constantFrom(...storedFormats),
          (a, b, c, columns, stored) => {
            const weights = Float32Array.from({ length: columns }, (_, i) => [a, b, c, a][i % 4]!);
            const source = store(weights, stored);
            expect(pack(source, 1, columns, stored, format)).toEqual(packed(source, 1, columns, stored, format));
          },
        ),
        { numRuns: isFullExtent ? 2000 : 400 },
      );
    });
  });
});

describe.each(quantizedFormats)("the quantizer of the caller's thread: %s", (format) => {
  it.each(storedFormats)("makes of %s rows the planes of the definition", async (stored) => {
    const quantizer = await openQuantizer();
    for (const [rows, columns] of [
      [1, 1],
      [3, 31],
      [9, 75],
      [40, 3200],
      [7, 64],
    ] as const) {
      const source = store(normalWeights(rows * columns, rows), stored);
      const want = quantizeRows(format, decodeWeights(stored, source), columns);
      expect(quantizer(format, stored, source, columns)).toEqual(want);
    }
  });
});
