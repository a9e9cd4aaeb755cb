// The keys that a row sees, gathered a block at a time: for each its key vector's address (the row's head 0) and its biases.
// Words of a call that the attention kernels share: q, cache, ranges, entries, sourceCache, headParams, (output),
// rows, heads, kvHeads, headDim, list, slotCount, entryCount, scale, softcap, then the rule of visibility.

import { headBytes } from "../cache/heads.as";
import { float, scratchAddress, word } from "../call.as";
import { isVisible } from "./visible.as";

export const HEADS: i32 = 8;
export const KV_HEADS: i32 = 9;
export const HEAD_DIM: i32 = 10;
export const SCALE: i32 = 14;
export const SOFTCAP: i32 = 15;
export const RULE: i32 = 16;

/** Keys of a block at most; an entry that is also an anchor of the source gives two. A multiple of 4. */
export const BLOCK: i32 = 64;

/** Where a block's addresses lie, u32 [BLOCK]; 4 more repeat the last one. */
@inline
export function keyAddresses(): usize {
  return scratchAddress();
}
/** Where the entries' biases lie, f32 [BLOCK + 4]; -Infinity behind the last. */
@inline
export function keyBiases(): usize {
  return scratchAddress() + 320;
}
/** 1 for a key of the second source, 0 for others; f32 [BLOCK + 4]. */
@inline
export function keySources(): usize {
  return scratchAddress() + 640;
}
/** Scratch that the gathering of keys leaves alone. */
@inline
export function afterKeys(): usize {
  return scratchAddress() + 1024;
}

/** Where the range of a row stands: begin, end, position, mark. */
@inline
export function rangeOf(call: usize, row: u32): usize {
  return <usize>word(call, 2) + (<usize>(word(call, 11) * word(call, 7) + row) << 4);
}

/** How many keys `gatherKeys` found, and the entry to go on with. */
export let gatheredCount: i32 = 0;
export let nextEntry: u32 = 0;

@inline
function put(count: i32, address: u32, bias: f32, source: f32): void {
  const at = <usize>count << 2;
  store<u32>(keyAddresses() + at, address);
  store<f32>(keyBiases() + at, bias);
  store<f32>(keySources() + at, source);
}

/** Gathers the next visible keys of a row, entries `entry`..`end`, until there are `most`, or one fewer; pads them to a multiple of 4. */
export function gatherKeys<T>(call: usize, range: usize, entry: u32, end: u32, most: i32): void {
  const cache = word(call, 1);
  const source = word(call, 4);
  const slotBytes = (word(call, KV_HEADS) << 1) * <u32>headBytes<T>(word(call, HEAD_DIM));
  const position = load<u32>(range, 8);
  const mark = load<u32>(range, 12);
  let count = 0;
  for (; entry < end && count < most - 1; entry++) {
    const at = <usize>word(call, 3) + (<usize>entry << 4);
    const keyPosition = load<u32>(at, 4);
    const keyMark = load<u32>(at, 8);
    const offset = load<u32>(at) * slotBytes;
    const bias = load<f32>(at, 12);
    if (isVisible(call, RULE, position, mark, keyPosition, keyMark)) put(count++, cache + offset, bias, 0);
    if (source != 0 && (keyMark & 1) == 1 && keyPosition <= position) put(count++, source + offset, bias, 1);
  }
  gatheredCount = count;
  nextEntry = entry;
  if (count == 0) return;
  const last = load<u32>(keyAddresses() + (<usize>(count - 1) << 2));
  for (let i = 0; i < 3; i++) put(count + i, last, -Infinity, 0);
}

/** softcap(dot · scale) + bias · biasScale + the source's bias: what makes a score of a dot product, for one head. */
export function scoreOf(call: usize, head: u32, dot: f32, bias: f32, isSource: bool): f32 {
  const cap = float(call, SOFTCAP);
  const headParams = <usize>word(call, 5);
  let score = dot * float(call, SCALE);
  if (cap > 0) score = cap * <f32>Math.tanh(<f64>(score / cap));
  if (headParams == 0) return score + bias;
  const at = headParams + (<usize>head << 3);
  score += bias * load<f32>(at, 4);
  return isSource ? score + load<f32>(at) : score;
}
