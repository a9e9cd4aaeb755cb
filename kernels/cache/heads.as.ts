// Heads of a cache as f32. The format is a type: f32 for f32, i16 for f16, i8 for int8 (kernels/cache/cache.ts), so that each kernel is
// compiled once per format.

/** Bytes of the int8 codes of a head. */
@inline
export function codeBytes(headDim: u32): usize {
  return <usize>((headDim + 3) >> 2) << 2;
}

/** Bytes of one head's key or value. */
@inline
export function headBytes<T>(headDim: u32): usize {
  if (isFloat<T>()) return <usize>headDim << 2;
  if (sizeof<T>() == 2) return <usize>((headDim + 1) >> 1) << 2;
  return codeBytes(headDim) + (<usize>((headDim + 63) >> 6) << 2);
}

/**
 * Four halves as f32, from their bits extended by sign; `mask` is 0x8fffe000 and `larger` 2^112 in each lane, held in variables
 * as engines make constants anew each time. Halves are finite here: a head that is not is NaN as a whole (`isNone`).
 */
@inline
function fromHalves(bits: v128, mask: v128, larger: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shl(bits, 13), mask), larger);
}

/** The scale of the group that number i is in. */
@inline
function scaleOf(head: usize, headDim: u32, i: usize): f32 {
  return reinterpret<f32>(<u32>load<u16>(head + codeBytes(headDim) + (i >> 5 << 1)) << 16);
}

/** True if the numbers of a head of f16 are NaN: packHead makes all of them NaN where one is no number. */
@inline
function isNone(head: usize): bool {
  return (load<u16>(head) & 0x7c00) == 0x7c00;
}

/** to [headDim] = the numbers of a head. Up to three numbers more may be written. */
export function expandHead<T>(head: usize, headDim: u32, to: usize): void {
  const n = <usize>headDim;
  let i: usize = 0;
  if (isFloat<T>()) {
    memory.copy(to, head, n << 2);
    return;
  }
  if (sizeof<T>() == 2) {
    if (isNone(head)) {
      for (; i < n; i++) store<f32>(to + (i << 2), NaN);
      return;
    }
    const zero = headDim >> 31;
    const mask = i32x4.splat(0x8fffe000 | zero), larger = i32x4.splat(0x77800000 | zero);
    for (; i + 16 <= n; i += 16) {
      const from = head + (i << 1), at = to + (i << 2);
      v128.store(at, fromHalves(v128.load_ext<i16>(from), mask, larger));
      v128.store(at, fromHalves(v128.load_ext<i16>(from, 8), mask, larger), 16);
      v128.store(at, fromHalves(v128.load_ext<i16>(from, 16), mask, larger), 32);
      v128.store(at, fromHalves(v128.load_ext<i16>(from, 24), mask, larger), 48);
    }
    for (; i + 4 <= n; i += 4) v128.store(to + (i << 2), fromHalves(v128.load_ext<i16>(head + (i << 1)), mask, larger));
    for (; i < n; i += 2) {
      const pair = fromHalves(i32x4.extend_low_i16x8_s(v128.load32_zero(head + (i << 1))), mask, larger);
      v128.store64_lane(to + (i << 2), pair, 0);
    }
    return;
  }
  for (; i + 32 <= n; i += 32) {
    const scale = f32x4.splat(scaleOf(head, headDim, i));
    for (let j = i; j < i + 32; j += 16) {
      const codes = v128.load(head + j);
      const low = i16x8.extend_low_i8x16_s(codes), high = i16x8.extend_high_i8x16_s(codes);
      const at = to + (j << 2);
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), scale));
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low)), scale), 16);
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), scale), 32);
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high)), scale), 48);
    }
  }
  for (; i < n; i += 4) {
    const codes = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(head + i)));
    v128.store(to + (i << 2), f32x4.mul(f32x4.convert_i32x4_s(codes), f32x4.splat(scaleOf(head, headDim, i))));
  }
}

/** Where a head's numbers lie as f32: itself, or `room` for them, with three more, once they are there. */
@inline
export function headNumbers<T>(head: usize, headDim: u32, room: usize): usize {
  if (isFloat<T>()) return head;
  expandHead<T>(head, headDim, room);
  return room;
}
