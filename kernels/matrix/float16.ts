// Conversions between IEEE 754 halves, as their 16 bits, and numbers.

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The number that the 16 bits of an IEEE 754 half stand for. */
export function f16ToF32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bits of the half next to an f32 number, of two equally near the even one; from 65520 on infinity. */
export function f32ToF16(value: number): number {
  float[0] = value;
  const bits = word[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7e00; // the sign of a NaN is the processor's choice
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // subnormal as a half: in f32, 0.5 and more step by 2^-24 as such halves do
    float[0] = Math.abs(value) + 0.5;
    return sign | (word[0]! - 0x3f000000);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** Writes the bits of a half at an offset of bytes, aligned or not. */
export function putHalf(bytes: Uint8Array, at: number, bits: number): void {
  bytes[at] = bits;
  bytes[at + 1] = bits >> 8;
}

let table: Float32Array | undefined;

/** All 65536 halves as f32, for loops over many. */
export function f16Table(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => f16ToF32(bits));
  return table;
}
