// Many rows times panels. A chunk of rows is packed once into blocks of six (the last one or two of four), small enough to
// stay in the second-level cache; each panel is widened to f32 in pieces that stay in the first, once for all of the chunk.
//
//   scratch   rows [PACKED_BYTES] · widened piece of a panel [PIECE][8] · tiles [chunk][8], two of them
// Blocks of rows r cover [4 or 6] rows; rows behind the last are zeros, and their sums are never looked at.

import { scratchAddress } from "../call.as";
import { addBlock } from "./block.as";
import { widen } from "./weights.as";

/** Bytes for packed rows; `fits` in on-wasm.ts keeps six rows of x within it. */
const PACKED_BYTES: usize = 384 * 1024;
/** Columns of a panel that are widened and used at a time. */
const PIECE: i32 = 512;
const PIECE_BYTES: usize = 16 * 1024;
/** Rows of a chunk at most: what its tiles have room for. */
const CHUNK_ROWS: u32 = 192;
const TILE_BYTES: usize = 8 * 1024;

/** Where tile 0 or 1 lies: [rows of the chunk][8], those of blocks one behind the other. */
// @ts-ignore: decorator
@inline
export function tileAddress(which: usize): usize {
  return scratchAddress() + PACKED_BYTES + PIECE_BYTES + which * TILE_BYTES;
}

/** How many rows to take at once: a multiple of 12 where there is room, so that blocks of six come out even. */
export function chunkRows(inputs: i32): u32 {
  const rows = min<u32>(CHUNK_ROWS, <u32>(PACKED_BYTES / (<usize>inputs << 2)));
  return rows >= 12 ? rows - (rows % 12) : 6;
}

/** Blocks of four at the end of `rows` rows, where four waste less than six. */
// @ts-ignore: decorator
@inline
function blocksOfFour(rows: u32): u32 {
  const rest = rows % 6;
  if (rest == 1) return rows > 6 ? 2 : 1;
  return rest == 2 ? (rows > 6 ? 2 : 1) : rest == 3 || rest == 4 ? 1 : 0;
}

/** Rows in blocks of six: the others are in blocks of four. */
// @ts-ignore: decorator
@inline
function rowsInSixes(rows: u32): u32 {
  const fours = blocksOfFour(rows) << 2;
  return rows > fours ? ((rows - fours + 5) / 6) * 6 : 0;
}

/** Packs rows [rows][inputs] at x into blocks [inputs][6 or 4]. */
export function packChunk(x: usize, rows: u32, inputs: i32): void {
  const sixes = rowsInSixes(rows);
  let to = scratchAddress();
  for (let row: u32 = 0; row < rows; ) {
    const height: u32 = row < sixes ? 6 : 4;
    for (let i: u32 = 0; i < height; i++) {
      const from = x + <usize>(row + i) * (<usize>inputs << 2);
      const isThere = row + i < rows;
      let at = to + (<usize>i << 2);
      for (let k: usize = 0; k < <usize>inputs; k++) {
        store<f32>(at, isThere ? load<f32>(from + (k << 2)) : 0);
        at += <usize>height << 2;
      }
    }
    to += <usize>(height * inputs) << 2;
    row += height;
  }
}

/** tile [rows][8] = the packed rows times a panel. */
export function multiplyChunk<W>(rows: u32, panel: usize, inputs: i32, tile: usize): void {
  const sixes = rowsInSixes(rows);
  const widened = scratchAddress() + PACKED_BYTES;
  memory.fill(tile, 0, <usize>(rows + 5) << 5);
  for (let begin: i32 = 0; begin < inputs; begin += PIECE) {
    const count = min(PIECE, inputs - begin);
    let weights = panel + <usize>begin * (sizeof<W>() << 3);
    if (sizeof<W>() != 4) {
      widen<W>(weights, count, widened);
      weights = widened;
    }
    let block = scratchAddress();
    for (let row: u32 = 0; row < rows; ) {
      const height: u32 = row < sixes ? 6 : 4;
      addBlock(height, block + (<usize>(begin * height) << 2), weights, count, tile + (<usize>row << 5));
      block += <usize>(height * inputs) << 2;
      row += height;
    }
  }
}
