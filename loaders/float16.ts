// The two 16-bit float formats of weights files, to and from float32.
// f16 is IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. bf16 is the upper half of a float32.
// Both ways keep every value, the sign of zero and the payload of a NaN.

let f16Table: Uint32Array | undefined;

/** The float32 bits of each of the 65,536 f16 values. */
function f16Bits(): Uint32Array {
  if (f16Table !== undefined) return f16Table;
  const table = new Uint32Array(65_536);
  for (let half = 0; half < 65_536; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 31;
    let fraction = half & 0x3ff;
    let bits: number;
    if (exponent === 31) bits = 0x7f800000 | (fraction << 13);
    else if (exponent > 0) bits = ((exponent + 112) << 23) | (fraction << 13);
    else if (fraction === 0) bits = 0;
    else {
      // Subnormal: fraction * 2^-24, brought to a leading one.
      let power = 113;
      while ((fraction & 0x400) === 0) {
        fraction <<= 1;
        power--;
      }
      bits = (power << 23) | ((fraction & 0x3ff) << 13);
    }
    table[half] = (sign | bits) >>> 0;
  }
  f16Table = table;
  return table;
}

/**
 * f16 bit patterns [n] to float32 [n], exactly.
 *
 * @param out written instead of a new array; must be as long as `halves`
 */
export function decodeF16(halves: Uint16Array, out: Float32Array = new Float32Array(halves.length)): Float32Array {
  checkLength(halves.length, out.length);
  const table = f16Bits();
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  // Every index is in bounds: `halves` holds 16-bit values and the table has 65,536.
  for (let i = 0; i < halves.length; i++) bits[i] = table[halves[i] as number] as number;
  return out;
}

/**
 * bf16 bit patterns [n] to float32 [n], exactly.
 *
 * @param out written instead of a new array; must be as long as `halves`
 */
export function decodeBf16(halves: Uint16Array, out: Float32Array = new Float32Array(halves.length)): Float32Array {
  checkLength(halves.length, out.length);
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16;
  return out;
}

/** float32 [n] to f16 bit patterns [n], to the nearest, ties to even; beyond 65,504 becomes infinity. */
export function encodeF16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    let half: number;
    if (magnitude > 0x7f800000) half = 0x7c00 | ((magnitude >>> 13) & 0x3ff);
    else if (magnitude >= 0x47800000) half = 0x7c00;
    else if (magnitude >= 0x38800000) half = roundBits(magnitude - 0x38000000, 13);
    else if (magnitude >= 0x33000000) half = roundBits((magnitude & 0x7fffff) | 0x800000, 126 - (magnitude >>> 23));
    else half = 0;
    // A NaN whose payload lies in the low bits only must not become an infinity.
    if (magnitude > 0x7f800000 && half === 0x7c00) half = 0x7e00;
    out[i] = sign | half;
  }
  return out;
}

/** float32 [n] to bf16 bit patterns [n], to the nearest, ties to even. */
export function encodeBf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    if (!isNan) out[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
    else out[i] = (word >>> 16) & 0x7f ? word >>> 16 : (word >>> 16) | 0x40;
  }
  return out;
}

/** Drops the lowest `count` bits (1..24) of `bits`, to the nearest, ties to even. */
function roundBits(bits: number, count: number): number {
  const kept = bits >>> count;
  const rest = bits & ((1 << count) - 1);
  const half = 1 << (count - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

function checkLength(wanted: number, got: number): void {
  if (wanted !== got) throw new RangeError(`${wanted} values do not fit an array of ${got}`);
}
