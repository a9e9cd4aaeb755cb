// Expands keys and values of a block from f16 or int8 to f32, once for all heads that share them, into scratch that stays in the
// first-level cache. The loops of dots.as.ts read them there.
//
//   addresses [BLOCK + 4], the last repeated · of each key (key [headDim] · value [headDim] · a line that spreads them over the sets)

import { expandHead, headBytes } from "../../cache/heads.as";
import { BLOCK } from "./keys.as";

const ADDRESSES: usize = 320;
/** Bytes for expanded keys and values. */
const ROOM: i32 = 24 * 1024;
const LINE: i32 = 64;
/** Prefetch distance in keys: slots are far apart, and the processor does not predict them. */
const AHEAD: i32 = 4;

@inline
function strideOf(headDim: i32): i32 {
  return (headDim << 3) + LINE;
}

/** How many keys a block may have, a multiple of 4; headDim is 512 at most. */
@inline
export function expandedCount<T>(headDim: i32): i32 {
  if (isFloat<T>()) return BLOCK;
  return min(BLOCK, ROOM / strideOf(headDim) & ~3);
}

/** Where the addresses stand, given the end of what else is in scratch. */
@inline
export function expandedAddresses(end: usize): usize {
  return (end + 63) & ~63;
}

/** Expands the heads of `count` keys and values, whose slots are at `slots`, and writes down where they are now. */
export function expandBlock<T>(slots: usize, count: i32, keyOffset: usize, valueOffset: usize, headDim: i32, addresses: usize): void {
  let to = addresses + ADDRESSES;
  const bytes = headBytes<T>(headDim);
  for (let i = 0; i < count; i++, to += strideOf(headDim)) {
    const slot = <usize>load<u32>(slots + (<usize>i << 2));
    if (i + AHEAD < count) {
      const ahead = <usize>load<u32>(slots + (<usize>(i + AHEAD) << 2));
      for (let at: usize = 0; at < bytes; at += 64) {
        load<u8>(ahead + keyOffset + at);
        load<u8>(ahead + valueOffset + at);
      }
    }
    expandHead<T>(slot + keyOffset, headDim, to);
    expandHead<T>(slot + valueOffset, headDim, to + (<usize>headDim << 2));
    store<u32>(addresses + (<usize>i << 2), <u32>to);
  }
  for (let i = 0; i < 3; i++) store<u32>(addresses + (<usize>(count + i) << 2), <u32>(to - strideOf(headDim)));
}
