// Copies rows of the table. A token's row is one of the eight rows of a panel.

import { shareBegin } from "../call.as";
import { EmbedCall } from "../calls/embed.as";
import { panelBytes, weightOf } from "../matrix/wasm/weights.as";

function embedRow<W>(call: EmbedCall, row: u32): void {
  const dim = call.dim;
  const bytes = <usize>dim << 2;
  const vocabSize = call.vocabSize;
  const tableBegin = call.tableBegin;
  const token = load<u32>(call.tokens + (<usize>row << 2));
  const isVector = token >= vocabSize;
  if (isVector ? tableBegin > 0 : token < tableBegin || token >= call.tableEnd) return;
  const scale = call.scale;
  const y = call.y + <usize>row * bytes;
  if (token >= vocabSize + call.vectorCount) {
    for (let i: usize = 0; i < bytes; i += 4) store<f32>(y + i, NaN);
    return;
  }
  if (isVector) {
    const from = call.vectors + <usize>(token - vocabSize) * bytes;
    for (let i: usize = 0; i < bytes; i += 4) store<f32>(y + i, scale * load<f32>(from + i));
  } else {
    const own = token - tableBegin;
    const panel = call.table + <usize>(own >> 3) * panelBytes<W>(dim);
    for (let i: u32 = 0; i < dim; i++) {
      store<f32>(y + (<usize>i << 2), scale * weightOf<W>(panel, <usize>(own & 7), i));
    }
  }
  const positionTable = call.positionTable;
  if (positionTable == 0) return;
  const position = positionTable + <usize>load<u32>(call.positions + (<usize>row << 2)) * bytes;
  for (let i: usize = 0; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(position + i));
}

function embed<W>(call: EmbedCall, thread: i32, threads: i32): void {
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) embedRow<W>(call, row);
}

export function embedF32(call: EmbedCall, thread: i32, threads: i32): void {
  embed<f32>(call, thread, threads);
}
export function embedF16(call: EmbedCall, thread: i32, threads: i32): void {
  embed<i16>(call, thread, threads);
}
export function embedBf16(call: EmbedCall, thread: i32, threads: i32): void {
  embed<u16>(call, thread, threads);
}
export function embedInt8(call: EmbedCall, thread: i32, threads: i32): void {
  embed<i8>(call, thread, threads);
}
export function embedInt4(call: EmbedCall, thread: i32, threads: i32): void {
  embed<u8>(call, thread, threads);
}
