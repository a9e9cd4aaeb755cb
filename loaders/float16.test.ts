import { describe, expect, it } from "vitest";
import { decodeBf16, decodeF16, encodeBf16, encodeF16 } from "./float16.ts";

const ALL = Uint16Array.from({ length: 65_536 }, (_, i) => i);

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer);
}

/** IEEE 754 binary16 by its definition, in plain arithmetic. */
function f16Value(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

describe("f16", () => {
  it("reads all 65,536 values by the definition, signed zeros included", () => {
    const values = decodeF16(ALL);
    for (const half of ALL) {
      if (!Object.is(values[half], f16Value(half)))
        expect.fail(`0x${half.toString(16)}: ${values[half]} is not ${f16Value(half)}`);
    }
  });

  it("keeps the sign and payload of every NaN", () => {
    const bits = bitsOf(decodeF16(Uint16Array.of(0x7e01, 0xfdff, 0x7c01)));
    expect([...bits]).toEqual([0x7fc02000, 0xffbfe000, 0x7f802000]);
  });

  it("gives every value back: to float32 and back is the identity", () => {
    expect(encodeF16(decodeF16(ALL))).toEqual(ALL);
  });

  it("rounds to the nearest, ties to even, at every boundary between neighbors", () => {
    const values = decodeF16(ALL);
    for (let half = 0; half < 0x7bff; half++) {
      const middle = ((values[half] ?? 0) + (values[half + 1] ?? 0)) / 2;
      const ulp = Math.max(middle * 2 ** -23, 2 ** -149);
      const got = encodeF16(Float32Array.of(middle - ulp, middle, middle + ulp, -middle));
      const even = half % 2 === 0 ? half : half + 1;
      if (got[0] !== half || got[1] !== even || got[2] !== half + 1 || got[3] !== (even | 0x8000)) {
        expect.fail(`around ${middle}: ${[...got].join(", ")}, wanted ${half}, ${even}, ${half + 1}`);
      }
    }
  });

  it("overflows to infinity from 65,520 on, underflows to signed zero, never makes a NaN an infinity", () => {
    const tinyNan = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001).buffer);
    expect([...encodeF16(Float32Array.of(65_519.996, 65_520, 1e30, -Infinity))]).toEqual([
      0x7bff, 0x7c00, 0x7c00, 0xfc00,
    ]);
    expect([...encodeF16(Float32Array.of(2 ** -25, 2 ** -25 * 1.0001, -(2 ** -26), -0))]).toEqual([
      0, 1, 0x8000, 0x8000,
    ]);
    expect(decodeF16(encodeF16(tinyNan)).every(Number.isNaN)).toBe(true);
  });
});

describe("bf16", () => {
  it("is the upper half of a float32 for all 65,536 values, and comes back", () => {
    const values = decodeBf16(ALL);
    expect(bitsOf(values)).toEqual(Uint32Array.from(ALL, (half) => half * 65_536));
    expect(encodeBf16(values)).toEqual(ALL);
  });

  it("rounds to the nearest, ties to even", () => {
    const bits = Uint32Array.of(0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x7f7fffff, 0x7f800001);
    const got = encodeBf16(new Float32Array(bits.buffer));
    expect([...got]).toEqual([0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x7f80, 0x7fc0]);
  });
});

it("writes into the middle of a given array, and refuses one of another length", () => {
  const out = new Float32Array(4);
  decodeF16(Uint16Array.of(0x3c00, 0xc000), out.subarray(1, 3));
  decodeBf16(Uint16Array.of(0x4040), out.subarray(3));
  expect([...out]).toEqual([0, 1, -2, 3]);
  expect(() => decodeF16(new Uint16Array(3), out)).toThrow("3 values do not fit an array of 4");
});
