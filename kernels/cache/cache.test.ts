import { describe, expect, test } from "vitest";
import { rotateStore } from "../rotate-store/rotate-store.ts";
import { cacheFormats, headWords, packHeads, roundHead, slotBytes, unpackHeads } from "./cache.ts";

describe("a head", () => {
  test("of f16 lies two numbers a word, the earlier below", () => {
    expect([...packHeads({ format: "f16", headDim: 3 }, [1, -2, 0.5])]).toEqual([0xc0003c00, 0x3800]);
  });

  test("of int8 lies four codes a word, then the scales as bf16, two a word", () => {
    const numbers = Array.from({ length: 34 }, (_, i) => (i === 0 ? -127 : i === 1 ? 64 : i === 33 ? 254 : 0));
    const words = packHeads({ format: "int8", headDim: 34 }, numbers);
    expect(words.length).toBe(9 + 1);
    expect(words[0]).toBe(0x4081);
    expect(words[8]).toBe(0x7f00);
    expect(words[9]).toBe(0x40003f80); // scales 1 and 2
    expect([...unpackHeads({ format: "int8", headDim: 34 }, words)]).toEqual(numbers);
  });

  test("takes whole words, whatever its size", () => {
    for (const [headDim, ...words] of [
      [1, 1, 1, 2],
      [64, 64, 32, 17],
      [80, 80, 40, 22],
      [128, 128, 64, 34],
    ] as const) {
      expect(cacheFormats.map((format) => headWords({ format, headDim }))).toEqual(words);
    }
    expect(slotBytes({ format: "int8", headDim: 64 }, 3)).toBe(2 * 3 * 68);
  });

  test("keeps zeros, holds what is too large for a half at the largest, makes NaN of what is no number, and drops what int8 cannot scale", () => {
    expect([
      ...unpackHeads({ format: "f16", headDim: 2 }, packHeads({ format: "f16", headDim: 2 }, [1e6, -1e6])),
    ]).toEqual([65504, -65504]);
    for (const format of ["f16", "int8"] as const) {
      expect([...unpackHeads({ format, headDim: 5 }, packHeads({ format, headDim: 5 }, [0, 0, 0, 0, 0]))]).toEqual([
        0, 0, 0, 0, 0,
      ]);
    }
    for (const none of [NaN, Infinity, -Infinity, 1e39]) {
      const half = { format: "f16", headDim: 3 } as const;
      expect([...unpackHeads(half, packHeads(half, [1, none, 2, 1, 2, 3]))]).toEqual([NaN, NaN, NaN, 1, 2, 3]);
      const int8 = { format: "int8", headDim: 34 } as const;
      const numbers = [none, ...Array.from({ length: 33 }, () => 127)];
      const wanted = Array.from({ length: 34 }, (_, i) => (i < 32 ? NaN : 127));
      expect([...unpackHeads(int8, packHeads(int8, numbers))]).toEqual(wanted);
    }
    const tiny = packHeads({ format: "int8", headDim: 2 }, [1e-37, -1e-37]);
    expect([...unpackHeads({ format: "int8", headDim: 2 }, tiny)]).toEqual([0, 0]);
  });

  test("is rounded by the reference of rotate-store as its format does, and not at all as f32", () => {
    const qkv = Float64Array.of(1, 2, 0.1, 0.3, 5, 1 / 3);
    const run = (format?: "f32" | "f16" | "int8") => {
      const cache = new Float64Array(4);
      const params = {
        rows: 1,
        heads: 1,
        kvHeads: 1,
        headDim: 2,
        rotaryDims: 0,
        interleaved: 0,
        list: 0,
        slotCount: 1,
        epsilon: 0,
      };
      rotateStore.reference({ qkv, slots: Uint32Array.of(0), q: new Float64Array(2), cache }, params, format);
      return [...cache];
    };
    expect(run()).toEqual([0.1, 0.3, 5, 1 / 3]);
    for (const format of ["f16", "int8"] as const) {
      const [key, value] = [Float64Array.of(0.1, 0.3), Float64Array.of(5, 1 / 3)];
      roundHead(format, key);
      roundHead(format, value);
      expect(run(format)).toEqual([...key, ...value]);
      expect(key[0]).not.toBe(0.1);
      expect(key[0]).toBeCloseTo(0.1, 2);
    }
  });
});
