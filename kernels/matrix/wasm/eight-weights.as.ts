// Eight stored weights of one column of a panel as f32, in two vectors of four. The format is a type, as in weights.as.ts.
//
// f16 becomes f32 by shifts: sign and 15 bits move to their place, and a product with 2^112 puts the exponent right, subnormals
// included. Infinities and NaNs would become numbers of 2^16 and more: a device keeps a matrix that has them as f32.

/** The 16 bytes from which the first four of eight weights are made. */
@inline
export function loadFirst<W>(at: usize): v128 {
  return v128.load(at);
}

/** The 16 bytes from which the last four are made: those of `loadFirst` again where a weight has two bytes. */
@inline
export function loadLast<W>(at: usize, first: v128): v128 {
  if (sizeof<W>() == 4) return v128.load(at, 16);
  return first;
}

/** The first four weights, from `loadFirst`. */
@inline
export function firstFour<W>(bits: v128): v128 {
  if (isFloat<W>()) return bits;
  return fromHigh<W>(i16x8.shuffle(i16x8.splat(0), bits, 0, 8, 1, 9, 2, 10, 3, 11));
}

/** The last four weights, from `loadLast`. */
@inline
export function lastFour<W>(bits: v128): v128 {
  if (isFloat<W>()) return bits;
  return fromHigh<W>(i16x8.shuffle(i16x8.splat(0), bits, 4, 12, 5, 13, 6, 14, 7, 15));
}

@inline
function fromHigh<W>(high: v128): v128 {
  if (!isSigned<W>()) return high; // bf16 is the upper half of an f32
  const bits = v128.and(i32x4.shr_s(high, 3), i32x4.splat(0x8fffe000));
  return f32x4.mul(bits, f32x4.splat(5192296858534827628530496329220096.0));
}
