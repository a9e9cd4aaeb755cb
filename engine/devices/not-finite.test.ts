import { describe, expect, test } from "vitest";
import { placeOfNotFinite, weightAt } from "./not-finite.ts";

/** Bits of numbers that are none, and of the largest and smallest ones. */
const BITS = {
  f32: { none: [0x7f800000, 0xff800000, 0x7f800001, 0xffffffff], finite: [0x7f7fffff, 0xff7fffff, 1, 0x80000000] },
  f16: { none: [0x7c00, 0xfc00, 0x7c01, 0xffff], finite: [0x7bff, 0xfbff, 1, 0x8000] },
  bf16: { none: [0x7f80, 0xff80, 0x7f81, 0xffff], finite: [0x7f7f, 0xff7f, 1, 0x8000] },
} as const;

describe.each(["f32", "f16", "bf16"] as const)("among weights of %s", (format) => {
  const Cells = format === "f32" ? Uint32Array : Uint16Array;
  const { none, finite } = BITS[format];

  test.each([1, 2, 7, 8, 9, 64])("finds the first of %d that is no number, wherever it stands", (count) => {
    const sound = Array.from({ length: count }, (_, i) => finite[i % finite.length]!);
    const cells = new Cells(sound);
    const bytes = new Uint8Array(cells.buffer);
    expect(placeOfNotFinite(format, bytes)).toBe(-1);
    for (const bits of none) {
      for (let at = count - 1; at >= 0; at--) {
        cells[at] = bits;
        expect(placeOfNotFinite(format, bytes)).toBe(at);
        expect(Number.isFinite(weightAt(format, bytes, at))).toBe(false);
      }
      cells.set(sound);
    }
  });

  test("finds it in bytes that are not aligned", () => {
    const cells = new Cells([finite[0], none[0]]);
    const bytes = new Uint8Array(cells.byteLength + 1);
    bytes.set(new Uint8Array(cells.buffer), 1);
    expect(placeOfNotFinite(format, bytes.subarray(1))).toBe(1);
  });
});
