import { expect, test } from "vitest";
import { LINE, MAX_TEXELS, maxTexels, rectanglesOf, textureSize } from "./regions.ts";

/** The numbers that rectangles cover, in order. */
function covered(begin: number, end: number, width: number): number[] {
  const numbers = rectanglesOf(begin, end, width).flatMap((one) => {
    const found: number[] = [];
    for (let y = one.y; y < one.y + one.height; y++) {
      for (let x = one.x; x < one.x + one.width; x++) {
        for (let channel = one.begin; channel < one.end; channel++) found.push((y * width + x) * 4 + channel);
      }
    }
    return found;
  });
  return numbers.sort((a, b) => a - b);
}

test("rectangles cover a range's numbers, each once", () => {
  for (const width of [1, 2, 3, 5]) {
    for (let begin = 0; begin < 30; begin++) {
      for (let end = begin; end < 70; end++) {
        const wanted = Array.from({ length: end - begin }, (_, i) => begin + i);
        expect(covered(begin, end, width), `${begin}..${end} in lines of ${width}`).toEqual(wanted);
      }
    }
  }
});

test("there are at most five, however long the range", () => {
  expect(rectanglesOf(5, 4 * LINE * 1000 + 7, LINE)).toHaveLength(5);
  expect(rectanglesOf(0, 4 * LINE * 1000, LINE)).toHaveLength(1);
});

test("a texture is one line that just holds its texels, or lines of one width", () => {
  expect(textureSize(0, 8192)).toEqual({ width: 1, height: 1 });
  expect(textureSize(LINE, 8192)).toEqual({ width: LINE, height: 1 });
  expect(textureSize(LINE + 1, 8192)).toEqual({ width: LINE, height: 2 });
  expect(textureSize(2049, 2048)).toEqual({ width: 2048, height: 2 });
  expect(maxTexels(2048)).toBe(2048 * 2048);
  expect(maxTexels(32768)).toBe(MAX_TEXELS);
});
