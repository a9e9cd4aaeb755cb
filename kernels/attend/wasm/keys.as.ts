// Gathers the keys that a row sees, a block at a time: for each the address of its key vector (head 0) and its biases.

import { headBytes } from "../../cache/heads.as";
import { scratchAddress } from "../../call.as";
import { AttendCall } from "../../calls/attend.as";
import { isVisible } from "./visible.as";

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
export function rangeOf<C>(call: C, row: u32): usize {
  return call.ranges + (<usize>(call.list * call.rows + row) << 4);
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
export function gatherKeys<T>(call: AttendCall, range: usize, entry: u32, end: u32, most: i32): void {
  const cache = <u32>call.cache;
  const source = <u32>call.sourceCache;
  const slotBytes = (call.kvHeads << 1) * <u32>headBytes<T>(call.headDim);
  const position = load<u32>(range, 8);
  const mark = load<u32>(range, 12);
  let count = 0;
  for (; entry < end && count < most - 1; entry++) {
    const at = call.entries + (<usize>entry << 4);
    const keyPosition = load<u32>(at, 4);
    const keyMark = load<u32>(at, 8);
    const offset = load<u32>(at) * slotBytes;
    const bias = load<f32>(at, 12);
    if (isVisible(call, position, mark, keyPosition, keyMark)) put(count++, cache + offset, bias, 0);
    if (source != 0 && (keyMark & 1) == 1 && keyPosition <= position) put(count++, source + offset, bias, 1);
  }
  gatheredCount = count;
  nextEntry = entry;
  if (count == 0) return;
  const last = load<u32>(keyAddresses() + (<usize>(count - 1) << 2));
  for (let i = 0; i < 3; i++) put(count + i, last, -Infinity, 0);
}

/** softcap(dot · scale) + bias · biasScale + the source's bias: what makes a score of a dot product, for one head. */
export function scoreOf<C>(call: C, head: u32, dot: f32, bias: f32, isSource: bool): f32 {
  const cap = call.softcap;
  const headBiases = call.headBiases;
  let score = dot * call.scale;
  if (cap > 0) score = cap * <f32>Math.tanh(<f64>(score / cap));
  if (headBiases == 0) return score + bias;
  const at = headBiases + (<usize>head << 3);
  score += bias * load<f32>(at, 4);
  return isSource ? score + load<f32>(at) : score;
}
