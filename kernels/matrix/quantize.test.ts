import { assert, integer, nat, property } from "fast-check";
import { describe, expect, it, test } from "vitest";
import { seededRandom } from "../trial.ts";
import { f16ToF32, f32ToF16 } from "./float16.ts";
import { bytesPerWeight, matrixByteLength, packRows, type StoredFormat } from "./matrix.ts";
import { decodeQuantized } from "../../tests/support/packed-weights.ts";
import { emptyGroup, quantizeGroup, roundToFormat } from "./quantize.ts";

const formats = ["int8", "int4"] as const;
const layouts = ["rows", "panels"] as const;

function normalWeights(length: number, seed = 1, scale = 1, center = 0): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => center + random.normal() * scale);
}

function squaredError(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
}

describe("halves", () => {
  it("come back from f32 as they were", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = f16ToF32(bits);
      if (!Number.isNaN(value)) expect(f32ToF16(value)).toBe(bits);
    }
    expect(f16ToF32(f32ToF16(Number.NaN))).toBeNaN();
  });

  it("are the nearest to an f32, of two the even one", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [f16ToF32(bits), f16ToF32(bits + 1)];
      const middle = (low + high) / 2;
      expect(f32ToF16(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      const step = (high - low) / 64;
      expect(f32ToF16(-(middle - step))).toBe(0x8000 | bits);
      expect(f32ToF16(middle + step)).toBe(bits + 1);
    }
    expect(f32ToF16(65519)).toBe(0x7bff);
    expect(f32ToF16(65520)).toBe(0x7c00);
  });
});

describe("a group", () => {
  const group = emptyGroup();

  it("of int8 has its largest weight at 127 steps", () => {
    quantizeGroup("int8", Float32Array.of(-12.7, 6.35, 0.04, 0.06), 0, 4, group);
    expect([...group.codes.subarray(0, 5)]).toEqual([-127, 64, 0, 1, 0]);
    expect(f16ToF32(group.scale)).toBeCloseTo(0.1, 4);
  });

  it("of int4 holds sixteen even steps exactly, wherever they begin", () => {
    const weights = Float32Array.from({ length: 32 }, (_, i) => 3.25 + (i % 16) * 0.5);
    expect([...roundToFormat("int4", weights, 32)]).toEqual([...weights]);
  });

  it.each(formats)("of %s with equal weights, with zeros, with one weight", (format) => {
    for (const weights of [[0, 0, 0], [-1.5, -1.5], [4], [0, 1e-9]]) {
      const values = Float32Array.from(weights);
      const rounded = roundToFormat(format, values, values.length);
      rounded.forEach((value, i) => expect(Math.abs(value - values[i]!)).toBeLessThanOrEqual(2e-3));
    }
  });

  it("lies within half a step of int8's scale, halves too small to scale by included", () => {
    for (const size of [1, 1e-3, 3e-5, 100]) {
      const weights = normalWeights(3200, 5, size);
      const rounded = roundToFormat("int8", weights, 32);
      for (let begin = 0; begin < weights.length; begin += 32) {
        const largest = Math.max(...weights.subarray(begin, begin + 32).map(Math.abs));
        // the scale itself is a half: 2^-11 of it, or 2^-25 where it is subnormal, times 127 steps
        const bound = largest / 254 + 127 * Math.max(2 ** -25, (largest / 127) * 2 ** -11);
        for (let i = begin; i < begin + 32; i++) expect(Math.abs(rounded[i]! - weights[i]!)).toBeLessThanOrEqual(bound);
      }
    }
  });

  it("of int4 is nearer than a cut from minimum to maximum", () => {
    const weights = normalWeights(32 * 400, 3, 0.02, 0.001);
    const plain = Float32Array.from(weights);
    for (let begin = 0; begin < weights.length; begin += 32) {
      const own = weights.subarray(begin, begin + 32);
      const least = Math.min(...own);
      const step = (Math.max(...own) - least) / 15;
      own.forEach((w, i) => (plain[begin + i] = least + step * Math.round((w - least) / step)));
    }
    const ratio = squaredError(roundToFormat("int4", weights, 32), weights) / squaredError(plain, weights);
    expect(ratio).toBeLessThan(0.92);
    expect(ratio).toBeGreaterThan(0.5);
  });

  it.each(formats)("of %s with a NaN is NaN where a weight is not 0, never a wrong number", (format) => {
    const [rounded] = roundToFormat(format, Float32Array.of(Number.NaN, 2, -3), 3);
    expect(rounded).toBeNaN();
  });

  it.each(formats)("of %s beyond a half's range keeps to it", (format) => {
    const rounded = roundToFormat(format, Float32Array.of(3e38, -3e38, 1), 3);
    expect(rounded.every(Number.isFinite)).toBe(true);
  });
});

describe.each(formats.flatMap((format) => layouts.map((layout) => [format, layout] as const)))(
  "%s in %s",
  (format, layout) => {
    test("packs what rounding gives, whole or in pieces, and nothing beyond", () => {
      assert(
        property(integer({ min: 1, max: 27 }), integer({ min: 1, max: 140 }), nat(), (rows, columns, seed) => {
          const shape = { rows, columns, format, layout };
          const weights = normalWeights(rows * columns, seed);
          const bytes = new Uint8Array(weights.buffer);
          const byteLength = matrixByteLength(shape);
          const packed = new Uint8Array(byteLength + 8).fill(0x99);
          packRows(shape, bytes, 0, packed.subarray(0, byteLength));
          expect([...packed.subarray(byteLength)]).toEqual(Array.from({ length: 8 }, () => 0x99));
          expect(decodeQuantized(shape, rows, packed)).toEqual(roundToFormat(format, weights, columns));

          const pieces = new Uint8Array(byteLength).fill(0x77);
          const cut = Math.min(rows, 8);
          packRows(shape, bytes.subarray(0, cut * columns * 4), 0, pieces);
          const rest = pieces.subarray(matrixByteLength({ ...shape, rows: cut }));
          packRows(shape, bytes.subarray(cut * columns * 4), cut, rest, cut);
          expect(pieces).toEqual(packed.subarray(0, byteLength));
        }),
        { numRuns: 60 },
      );
    });

    test.each(["f32", "f16", "bf16"] as const)("takes rows stored as %s", (stored: StoredFormat) => {
      const columns = 70;
      const halves = Uint16Array.from(normalWeights(9 * columns), (value) =>
        stored === "bf16" ? new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16 : f32ToF16(value),
      );
      const values = Float32Array.from(halves, (bits) =>
        stored === "bf16" ? new Float32Array(Uint32Array.of(bits << 16).buffer)[0]! : f16ToF32(bits),
      );
      const source = new Uint8Array(stored === "f32" ? values.buffer : halves.buffer);
      const shape = { rows: 9, columns, format, layout, stored };
      const packed = new Uint8Array(matrixByteLength(shape));
      packRows(shape, source, 0, packed);
      expect(decodeQuantized(shape, 9, packed)).toEqual(roundToFormat(format, values, columns));
    });

    test("takes the bytes that it says", () => {
      const shape = { rows: 16, columns: 256, format, layout };
      expect(matrixByteLength(shape)).toBe(16 * 256 * bytesPerWeight(format));
    });
  },
);
