// A head of a row at a time: copied or normed to its place in y, and rotated there.

import { shareBegin } from "../call.as";
import { RotateCall } from "../calls/rotate.as";
import { norm, rotateHalves, rotatePair } from "../rotate-store/rotate-store.as";

/** Head `index` of all rows, counted through q, k and v. */
function rotateHead(call: RotateCall, index: u32): void {
  const heads = call.heads;
  const kvHeads = call.kvHeads;
  const headDim = call.headDim;
  const half = call.rotaryDims >> 1;
  const row = index / (heads + 2 * kvHeads);
  const head = index % (heads + 2 * kvHeads);
  const isValue = head >= heads + kvHeads;
  const from = call.qkv + (<usize>(index * headDim) << 2);
  const to = call.y + (<usize>(index * headDim) << 2);
  const weight: usize = isValue ? 0 : head < heads ? call.qNorm : call.kNorm;
  if (weight) norm(from, weight, to, headDim, call.epsilon);
  else memory.copy(to, from, <usize>headDim << 2);
  if (isValue) return;
  const angles = call.rotation + (<usize>(row * half) << 3);
  if (call.interleaved == 0) {
    rotateHalves(to, half, angles);
    return;
  }
  for (let i: usize = 0; i < <usize>half; i++) {
    rotatePair(to + (i << 3), to + (i << 3) + 4, angles + (i << 3));
  }
}

export function rotate(call: RotateCall, thread: i32, threads: i32): void {
  const count = call.rows * (call.heads + 2 * call.kvHeads);
  const end = shareBegin(count, thread + 1, threads);
  for (let index = shareBegin(count, thread, threads); index < end; index++) rotateHead(call, index);
}
