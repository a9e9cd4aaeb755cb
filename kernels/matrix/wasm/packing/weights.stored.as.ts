// Weights as files store them, row-major, as f32: exact for every format, infinities and NaNs included.

/** The formats by number: 0 f32, 1 f16, 2 bf16. */
const F32: u32 = 0;
const F16: u32 = 1;

/** Four halves, each in the upper bits of a 32-bit lane, as f32. */
@inline
function ofHalves(high: v128): v128 {
  const bits = v128.and(i32x4.shr_s(high, 3), i32x4.splat(0x8fffe000));
  const value = f32x4.mul(bits, f32x4.splat(5192296858534827628530496329220096.0));
  const largest = i32x4.splat(0x7c000000);
  const isBeyond = i32x4.eq(v128.and(high, largest), largest);
  return v128.or(value, v128.and(isBeyond, i32x4.splat(0x7f800000)));
}

/** `count` <= 32 weights as f32 to `to`; up to 64 bytes are read beyond them. */
export function storedGroup(stored: u32, from: usize, count: i32, to: usize): void {
  if (stored == F32) {
    memory.copy(to, from, <usize>count << 2);
    return;
  }
  for (let i = 0; i < count; i += 4, from += 8, to += 16) {
    const high = i32x4.shl(i32x4.extend_low_i16x8_u(v128.load64_zero(from)), 16);
    v128.store(to, stored == F16 ? ofHalves(high) : high);
  }
}
