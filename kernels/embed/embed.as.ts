// embed: a token's row is one of the eight of its panel.
// Call: tokens, positions, table, positionTable, vectors, y, rows, dim, vocabSize, tableBegin, tableEnd, contextLength, vectorCount, scale.

import { float, shareBegin, word } from "../call.as";
import { panelBytes, weightOf } from "../matrix/weights.as";

function embedRow<W>(call: usize, row: u32): void {
  const dim = word(call, 7);
  const bytes = <usize>dim << 2;
  const vocabSize = word(call, 8);
  const tableBegin = word(call, 9);
  const token = load<u32>(<usize>word(call, 0) + (<usize>row << 2));
  const isVector = token >= vocabSize;
  if (isVector ? tableBegin > 0 : token < tableBegin || token >= word(call, 10)) return;
  const scale = float(call, 13);
  const y = <usize>word(call, 5) + <usize>row * bytes;
  if (isVector) {
    const from = <usize>word(call, 4) + <usize>(token - vocabSize) * bytes;
    for (let i: usize = 0; i < bytes; i += 4) store<f32>(y + i, scale * load<f32>(from + i));
  } else {
    const own = token - tableBegin;
    const panel = <usize>word(call, 2) + <usize>(own >> 3) * panelBytes<W>(dim);
    for (let i: u32 = 0; i < dim; i++) {
      store<f32>(y + (<usize>i << 2), scale * weightOf<W>(panel, <usize>(own & 7), i));
    }
  }
  const positionTable = <usize>word(call, 3);
  if (positionTable == 0) return;
  const position = positionTable + <usize>load<u32>(<usize>word(call, 1) + (<usize>row << 2)) * bytes;
  for (let i: usize = 0; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(position + i));
}

function embed<W>(call: usize, thread: i32, threads: i32): void {
  const end = shareBegin(word(call, 6), thread + 1, threads);
  for (let row = shareBegin(word(call, 6), thread, threads); row < end; row++) embedRow<W>(call, row);
}

export function embedF32(call: usize, thread: i32, threads: i32): void {
  embed<f32>(call, thread, threads);
}
export function embedF16(call: usize, thread: i32, threads: i32): void {
  embed<i16>(call, thread, threads);
}
export function embedBf16(call: usize, thread: i32, threads: i32): void {
  embed<u16>(call, thread, threads);
}
export function embedInt8(call: usize, thread: i32, threads: i32): void {
  embed<i8>(call, thread, threads);
}
export function embedInt4(call: usize, thread: i32, threads: i32): void {
  embed<u8>(call, thread, threads);
}
