// A head of a row at a time: copied or normed to its destination, and rotated there. Keys and values for caches of f16 and int8 are
// made in scratch and packed from there.

import { headBytes } from "../cache/heads.as";
import { packHead } from "../cache/heads.store.as";
import { dot, madd, scratchAddress, shareBegin } from "../call.as";
import { RotateStoreCall } from "../calls/rotate-store.as";

/** to [n] = from · scale · weight */
@inline
export function norm(from: usize, weight: usize, to: usize, n: u32, epsilon: f32): void {
  const bytes = <usize>n << 2;
  const scale: f32 = 1 / sqrt(dot(from, from, n) / <f32>n + epsilon);
  const scale4 = f32x4.splat(scale);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    v128.store(to + i, f32x4.mul(v128.load(from + i), f32x4.mul(scale4, v128.load(weight + i))));
  }
  for (; i < bytes; i += 4) store<f32>(to + i, load<f32>(from + i) * scale * load<f32>(weight + i));
}

/** Rotates pairs (i, i + half) in place; `angles` holds (cos, sin) of each. */
export function rotateHalves(x: usize, half: u32, angles: usize): void {
  const bytes = <usize>half << 2;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const first = v128.load(angles + (i << 1));
    const last = v128.load(angles + (i << 1), 16);
    const cos = f32x4.shuffle(first, last, 0, 2, 4, 6);
    const sin = f32x4.shuffle(first, last, 1, 3, 5, 7);
    const a = v128.load(x + i);
    const b = v128.load(x + bytes + i);
    v128.store(x + i, madd(a, cos, f32x4.neg(f32x4.mul(b, sin))));
    v128.store(x + bytes + i, madd(b, cos, f32x4.mul(a, sin)));
  }
  for (; i < bytes; i += 4) rotatePair(x + i, x + bytes + i, angles + (i << 1));
}

@inline
export function rotatePair(first: usize, second: usize, angle: usize): void {
  const cos = load<f32>(angle);
  const sin = load<f32>(angle, 4);
  const a = load<f32>(first);
  const b = load<f32>(second);
  store<f32>(first, a * cos - b * sin);
  store<f32>(second, b * cos + a * sin);
}

/** Row `row` of head `head` at `to`, as f32. */
function makeHead(call: RotateStoreCall, row: u32, head: u32, to: usize): void {
  const heads = call.heads;
  const kvHeads = call.kvHeads;
  const headDim = call.headDim;
  const half = call.rotaryDims >> 1;
  const isValue = head >= heads + kvHeads;
  const from = call.qkv + (<usize>((row * (heads + 2 * kvHeads) + head) * headDim) << 2);
  const weight: usize = isValue ? 0 : head < heads ? call.qNorm : call.kNorm;
  if (weight) norm(from, weight, to, headDim, call.epsilon);
  else memory.copy(to, from, <usize>headDim << 2);
  if (isValue || <u32>call.rotation == 0) return;
  const angles = call.rotation + (<usize>(row * half) << 3);
  if (call.interleaved == 0) {
    rotateHalves(to, half, angles);
    return;
  }
  for (let i: usize = 0; i < <usize>half; i++) {
    rotatePair(to + (i << 3), to + (i << 3) + 4, angles + (i << 3));
  }
}

@inline
function storeHead<T>(call: RotateStoreCall, row: u32, head: u32): void {
  const heads = call.heads;
  const headDim = call.headDim;
  if (head < heads) {
    makeHead(call, row, head, call.q + (<usize>((row * heads + head) * headDim) << 2));
    return;
  }
  const slot = load<u32>(call.slots + (<usize>(call.list * call.rows + row) << 2));
  const place = call.cache + <usize>(slot * 2 * call.kvHeads + head - heads) * headBytes<T>(headDim);
  if (isFloat<T>()) {
    makeHead(call, row, head, place);
    return;
  }
  makeHead(call, row, head, scratchAddress());
  packHead<T>(scratchAddress(), headDim, place);
}

function storeAll<T>(call: RotateStoreCall, thread: i32, threads: i32): void {
  const perRow = call.heads + 2 * call.kvHeads;
  const end = shareBegin(call.rows * perRow, thread + 1, threads);
  for (let i = shareBegin(call.rows * perRow, thread, threads); i < end; i++) storeHead<T>(call, i / perRow, i % perRow);
}

export function rotateStoreF32(call: RotateStoreCall, thread: i32, threads: i32): void {
  storeAll<f32>(call, thread, threads);
}
export function rotateStoreF16(call: RotateStoreCall, thread: i32, threads: i32): void {
  storeAll<i16>(call, thread, threads);
}
export function rotateStoreInt8(call: RotateStoreCall, thread: i32, threads: i32): void {
  storeAll<i8>(call, thread, threads);
}
