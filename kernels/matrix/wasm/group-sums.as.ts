// The end of a group: whole-number sums of rounded x (rounded-rows.as.ts) times codes of a quantized panel, scaled and added to a tile.

/** tile [row] += the dot products of a group, times the step of x. */
@inline
export function finishRow(tile: usize, x: usize, a: v128, b: v128, d0: v128, d1: v128): void {
  const step = v128.load_splat<f32>(x, 64);
  v128.store(tile, f32x4.add(v128.load(tile), f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(a), d0), step)));
  v128.store(tile, f32x4.add(v128.load(tile, 16), f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(b), d1), step)), 16);
}

/** tile [row] += minimum · sum of x. */
@inline
export function addMinimum(tile: usize, x: usize, m0: v128, m1: v128): void {
  const sum = v128.load_splat<f32>(x, 68);
  v128.store(tile, f32x4.add(v128.load(tile), f32x4.mul(m0, sum)));
  v128.store(tile, f32x4.add(v128.load(tile, 16), f32x4.mul(m1, sum)), 16);
}

/** sum + the products of pairs of 16-bit numbers, each pair added. */
@inline
export function dotAdd(sum: v128, weights: v128, x: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(weights, x));
}
