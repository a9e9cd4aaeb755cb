// Weights of a panel as f32. The format is a type: f32 stands for itself, i16 for f16, u16 for bf16, so that each kernel is
// compiled once per format. Eight weights of one column lie side by side: 32 bytes of f32, 16 of the others.
//
// f16 to f32 by shifts: sign and 15 bits move to their place, 2^112 puts the exponent right, subnormals included.
// (The infinities and NaNs of f16 are no weights; they come out as numbers of 2^16 and more.)

/** The 16 bytes from which the first four of eight weights are made. */
// @ts-ignore: decorator
@inline
export function loadFirst<W>(at: usize): v128 {
  return v128.load(at);
}

/** The 16 bytes from which the last four are made: those of `loadFirst` again where a weight has two bytes. */
// @ts-ignore: decorator
@inline
export function loadLast<W>(at: usize, first: v128): v128 {
  if (sizeof<W>() == 4) return v128.load(at, 16);
  return first;
}

/** The first four weights, from `loadFirst`. */
// @ts-ignore: decorator
@inline
export function firstFour<W>(bits: v128): v128 {
  if (isFloat<W>()) return bits;
  return fromHigh<W>(i16x8.shuffle(i16x8.splat(0), bits, 0, 8, 1, 9, 2, 10, 3, 11));
}

/** The last four weights, from `loadLast`. */
// @ts-ignore: decorator
@inline
export function lastFour<W>(bits: v128): v128 {
  if (isFloat<W>()) return bits;
  return fromHigh<W>(i16x8.shuffle(i16x8.splat(0), bits, 4, 12, 5, 13, 6, 14, 7, 15));
}

// @ts-ignore: decorator
@inline
function fromHigh<W>(high: v128): v128 {
  if (!isSigned<W>()) return high; // bf16 is the upper half of an f32
  const bits = v128.and(i32x4.shr_s(high, 3), i32x4.splat(0x8fffe000));
  return f32x4.mul(bits, f32x4.splat(5192296858534827628530496329220096.0));
}

/** One weight. */
// @ts-ignore: decorator
@inline
export function weightAt<W>(at: usize): f32 {
  if (isFloat<W>()) return load<f32>(at);
  const high = <i32>(<u32>load<u16>(at) << 16);
  if (!isSigned<W>()) return reinterpret<f32>(high);
  return reinterpret<f32>((high >> 3) & 0x8fffe000) * <f32>5192296858534827628530496329220096.0;
}

/** Turns columns of eight weights each into f32: [columns][8] at `to`. */
export function widen<W>(from: usize, columns: i32, to: usize): void {
  for (let i = 0; i < columns; i++) {
    const bits = loadFirst<W>(from);
    v128.store(to, firstFour<W>(bits));
    v128.store(to, lastFour<W>(loadLast<W>(from, bits)), 16);
    from += sizeof<W>() << 3;
    to += 32;
  }
}
