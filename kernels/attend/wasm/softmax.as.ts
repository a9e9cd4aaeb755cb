// Turns the dot products of a block of keys into shares, for one head, relative to the largest score so far (online softmax).

import { madd, maxLanes, sumLanes } from "../../call.as";
import { AttendCall } from "../../calls/attend.as";
import { exp4, softcap4 } from "../../math.as";
import { afterKeys, keyBiases, keySources } from "./keys.as";

/** Bytes of one head's scores. */
export const SCORES: usize = 512;

/** Where (largest, total) of a head stand. */
@inline
export function stateOf(head: u32): usize {
  return afterKeys() + 2 * SCORES + (<usize>head << 3);
}

/** Turns `count` dot products at `scores` into shares e^(score - largest), and updates the head's state and its z. */
export function toShares(call: AttendCall, head: u32, count: i32, scores: usize, z: usize): void {
  const scale = f32x4.splat(call.scale);
  const cap = call.softcap;
  const headBiases = call.headBiases;
  let biasScale = f32x4.splat(1);
  let sourceBias = f32x4.splat(0);
  if (headBiases) {
    sourceBias = v128.load_splat<f32>(headBiases + (<usize>head << 3));
    biasScale = v128.load_splat<f32>(headBiases + (<usize>head << 3), 4);
  }
  let largest4 = f32x4.splat(-Infinity);
  const padding = f32x4.splat(-Infinity);
  for (let i = 0; i < count; i += 4) {
    const at = <usize>i << 2;
    const bias = v128.load(keyBiases() + at);
    let score = softcap4(cap, f32x4.mul(v128.load(scores + at), scale));
    score = f32x4.add(score, f32x4.mul(bias, biasScale));
    if (headBiases) {
      score = madd(v128.load(keySources() + at), sourceBias, score);
      score = v128.bitselect(padding, score, f32x4.eq(bias, padding));
    }
    v128.store(scores + at, score);
    largest4 = f32x4.max(largest4, score);
  }
  const state = stateOf(head);
  const before = load<f32>(state);
  const largest = max(before, maxLanes(largest4));
  if (largest == -Infinity) {
    memory.fill(scores, 0, <usize>(count + 3) << 2);
    return;
  }
  let total4 = f32x4.splat(0);
  for (let i = 0; i < count; i += 4) {
    const at = scores + (<usize>i << 2);
    const share = exp4(f32x4.sub(v128.load(at), f32x4.splat(largest)));
    v128.store(at, share);
    total4 = f32x4.add(total4, share);
  }
  let total = sumLanes(total4);
  if (largest > before) {
    const rescale = exp4(f32x4.splat(before - largest));
    total += load<f32>(state, 4) * f32x4.extract_lane(rescale, 0);
    for (const end = z + (<usize>call.headDim << 2); z < end; z += 16) {
      v128.store(z, f32x4.mul(v128.load(z), rescale));
    }
  } else total += load<f32>(state, 4);
  store<f32>(state, largest);
  store<f32>(state, total, 4);
}
