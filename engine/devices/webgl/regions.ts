// Where the numbers of a tensor lie in its texture: four numbers in a texel, `width` texels in a line. A range of numbers covers at most
// five rectangles: three of whole texels, and one partial texel at each end.

/** A rectangle of texels; `begin`..`end` are the channels of its texels that are read or written. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly begin: number;
  readonly end: number;
}

/** Numbers in a texel. */
export const TEXEL = 4;
/** Texels in a line of a texture that has several. */
export const LINE = 4096;
/** The most texels of a texture: gpu.js counts them in f32. */
export const MAX_TEXELS = 2 ** 24;

/** The size of a texture for a number of texels: one line of that length, or several lines of LINE texels (or the driver's limit). */
export function textureSize(texels: number, maxSize: number): { readonly width: number; readonly height: number } {
  const line = Math.min(LINE, maxSize);
  if (texels <= line) return { width: Math.max(1, texels), height: 1 };
  return { width: line, height: Math.ceil(texels / line) };
}

/** Texels that one texture can hold. */
export function maxTexels(maxSize: number): number {
  return Math.min(MAX_TEXELS, Math.min(LINE, maxSize) * maxSize);
}

/** The rectangles that hold numbers begin..end of a texture. */
export function rectanglesOf(begin: number, end: number, width: number): Rectangle[] {
  if (begin >= end) return [];
  const rectangles: Rectangle[] = [];
  const add = (from: number, to: number, first: number, last: number) => {
    const [x, y] = [from % width, Math.floor(from / width)];
    const inLine = Math.floor((to - 1) / width) === y;
    const count = inLine ? to - from : width;
    rectangles.push({ x, y, width: count, height: Math.ceil((to - from) / count), begin: first, end: last });
  };
  const firstWhole = Math.ceil(begin / TEXEL);
  const lastWhole = Math.floor(end / TEXEL);
  if (firstWhole > lastWhole) {
    add(lastWhole, lastWhole + 1, begin % TEXEL, end % TEXEL);
    return rectangles;
  }
  if (begin % TEXEL > 0) add(firstWhole - 1, firstWhole, begin % TEXEL, TEXEL);
  for (let texel = firstWhole; texel < lastWhole;) {
    const toLineEnd = width - (texel % width);
    const whole = Math.floor((lastWhole - texel) / width) * width;
    const count = Math.min(lastWhole - texel, toLineEnd < width || whole === 0 ? toLineEnd : whole);
    add(texel, texel + count, 0, TEXEL);
    texel += count;
  }
  if (end % TEXEL > 0) add(lastWhole, lastWhole + 1, 0, end % TEXEL);
  return rectangles;
}
