import { expect, test } from "vitest";
import { FormatError } from "./errors.ts";
import { checkHalves } from "./quantized.ts";

const INFINITIES_AND_NANS = [0x7c00, 0xfc00, 0x7e01, 0xffff];
const FINITE = [0, 0x8000, 0x7bff, 0xfbff, 0x3c00, 0x0001];

/** So many finite halves, beginning `offset` halves into a buffer. */
function halves(count: number, offset: number): Uint16Array {
  const all = new Uint16Array(offset + count).subarray(offset);
  for (let i = 0; i < count; i++) all[i] = FINITE[i % FINITE.length]!;
  return all;
}
const bytesOf = (values: Uint16Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
const check = (values: Uint16Array) => checkHalves({ file: "f", name: "t" }, bytesOf(values), 10, 3);

test.each([0, 1])("halves that are not finite are found wherever they stand, %i halves into a buffer", (offset) => {
  for (const count of [1, 2, 3, 8, 13]) {
    expect(() => check(halves(count, offset))).not.toThrow();
    for (let at = 0; at < count; at++) {
      for (const bits of INFINITIES_AND_NANS) {
        const values = halves(count, offset);
        values[at] = bits;
        expect(() => check(values)).toThrow(FormatError);
        expect(() => check(values)).toThrow(
          `tensor "t" has an infinity or NaN in row ${10 + Math.floor(at / 3)}, group ${at % 3}; wanted finite numbers`,
        );
      }
    }
  }
});
