// The two inner loops of attention, for one head or two that share keys and values: dot products of q with a block of keys, four
// keys at a time, and sums of values times shares. headDim is a multiple of 4.

import { madd } from "../../call.as";

/** [sum a, sum b, sum c, sum d] of the lanes of four vectors. */
@inline
function sumLanes4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(f32x4.shuffle(a, b, 0, 4, 1, 5), f32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(f32x4.shuffle(c, d, 0, 4, 1, 5), f32x4.shuffle(c, d, 2, 6, 3, 7));
  return f32x4.add(f32x4.shuffle(ab, cd, 0, 1, 4, 5), f32x4.shuffle(ab, cd, 2, 3, 6, 7));
}

/** scores[i] = q · key i; with `isPair` otherScores[i] = other q · key i. Counts are rounded up to a multiple of 4. */
export function dotKeys(isPair: bool, q: usize, other: usize, offset: usize, headDim: i32, count: i32, keys: usize, scores: usize, otherScores: usize): void {
  const bytes = <usize>headDim << 2;
  for (let i = 0; i < count; i += 4) {
    const at = <usize>i << 2;
    const k0 = <usize>load<u32>(keys + at) + offset, k1 = <usize>load<u32>(keys + at, 4) + offset;
    const k2 = <usize>load<u32>(keys + at, 8) + offset, k3 = <usize>load<u32>(keys + at, 12) + offset;
    let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
    if (isPair) {
      let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
      for (let d: usize = 0; d < bytes; d += 16) {
        const p = v128.load(q + d), r = v128.load(other + d);
        let key = v128.load(k0 + d);
        a0 = madd(key, p, a0), b0 = madd(key, r, b0);
        key = v128.load(k1 + d);
        a1 = madd(key, p, a1), b1 = madd(key, r, b1);
        key = v128.load(k2 + d);
        a2 = madd(key, p, a2), b2 = madd(key, r, b2);
        key = v128.load(k3 + d);
        a3 = madd(key, p, a3), b3 = madd(key, r, b3);
      }
      v128.store(otherScores + at, sumLanes4(b0, b1, b2, b3));
    } else {
      for (let d: usize = 0; d < bytes; d += 16) {
        const p = v128.load(q + d);
        a0 = madd(v128.load(k0 + d), p, a0), a1 = madd(v128.load(k1 + d), p, a1);
        a2 = madd(v128.load(k2 + d), p, a2), a3 = madd(v128.load(k3 + d), p, a3);
      }
    }
    v128.store(scores + at, sumLanes4(a0, a1, a2, a3));
  }
}

/** z += Σ shares[i] value i, and with `isPair` other z likewise, 16 dimensions at a time. */
export function addValues(isPair: bool, z: usize, other: usize, offset: usize, headDim: i32, count: i32, keys: usize, shares: usize, otherShares: usize): void {
  const bytes = <usize>headDim << 2;
  let d: usize = 0;
  for (; d + 64 <= bytes; d += 64) {
    const base = offset + d;
    let a0 = v128.load(z + d), a1 = v128.load(z + d, 16), a2 = v128.load(z + d, 32), a3 = v128.load(z + d, 48);
    if (isPair) {
      let b0 = v128.load(other + d), b1 = v128.load(other + d, 16), b2 = v128.load(other + d, 32), b3 = v128.load(other + d, 48);
      for (let i = 0; i < count; i++) {
        const at = <usize>i << 2;
        const value = <usize>load<u32>(keys + at) + base;
        const p = v128.load_splat<f32>(shares + at), r = v128.load_splat<f32>(otherShares + at);
        let v = v128.load(value);
        a0 = madd(p, v, a0), b0 = madd(r, v, b0);
        v = v128.load(value, 16);
        a1 = madd(p, v, a1), b1 = madd(r, v, b1);
        v = v128.load(value, 32);
        a2 = madd(p, v, a2), b2 = madd(r, v, b2);
        v = v128.load(value, 48);
        a3 = madd(p, v, a3), b3 = madd(r, v, b3);
      }
      v128.store(other + d, b0), v128.store(other + d, b1, 16), v128.store(other + d, b2, 32), v128.store(other + d, b3, 48);
    } else {
      for (let i = 0; i < count; i++) {
        const at = <usize>i << 2;
        const value = <usize>load<u32>(keys + at) + base;
        const p = v128.load_splat<f32>(shares + at);
        a0 = madd(p, v128.load(value), a0), a1 = madd(p, v128.load(value, 16), a1);
        a2 = madd(p, v128.load(value, 32), a2), a3 = madd(p, v128.load(value, 48), a3);
      }
    }
    v128.store(z + d, a0), v128.store(z + d, a1, 16), v128.store(z + d, a2, 32), v128.store(z + d, a3, 48);
  }
  for (; d < bytes; d += 16) {
    let a = v128.load(z + d), b = v128.load(other + d);
    for (let i = 0; i < count; i++) {
      const at = <usize>i << 2;
      const value = v128.load(<usize>load<u32>(keys + at) + offset + d);
      a = madd(v128.load_splat<f32>(shares + at), value, a);
      b = madd(v128.load_splat<f32>(otherShares + at), value, b);
    }
    v128.store(z + d, a);
    if (isPair) v128.store(other + d, b);
  }
}
