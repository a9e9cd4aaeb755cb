// Many rows times panels. Rows are taken in chunks that stay in the second-level cache, four at a time; each panel is widened
// to f32 in pieces that stay in the first, once for all rows of a chunk.
//
//   scratch   widened piece of a panel [PIECE][8] · tiles [CHUNK_ROWS][8], two of them

import { scratchAddress } from "../call.as";
import { addRows } from "./rows.as";
import { panelBytes, widen } from "./weights.as";

/** Bytes of x in a chunk. */
const CHUNK_BYTES: usize = 384 * 1024;
/** Rows of a chunk at most: what its tiles have room for. */
const CHUNK_ROWS: u32 = 256;
const TILE_BYTES: usize = 8 * 1024;
/** Columns of a panel that are widened and used at a time: whole groups. */
const PIECE: i32 = 512;
const PIECE_BYTES: usize = 16 * 1024;

/** Where tile 0 or 1 lies: [rows of the chunk][8]. */
@inline
export function tileAddress(which: usize): usize {
  return scratchAddress() + PIECE_BYTES + which * TILE_BYTES;
}

/** How many rows to take at once, a multiple of four. */
export function chunkRows(inputs: i32): u32 {
  const rows = min<u32>(CHUNK_ROWS, <u32>(CHUNK_BYTES / (<usize>inputs << 2)));
  return max<u32>(4, rows & ~3);
}

/** tile [rows][8] = rows of x [rows][inputs] times a panel. */
export function multiplyChunk<W>(x: usize, rows: u32, panel: usize, inputs: i32, tile: usize): void {
  const stride = <usize>inputs << 2;
  const widened = scratchAddress();
  memory.fill(tile, 0, <usize>rows << 5);
  for (let begin: i32 = 0; begin < inputs; begin += PIECE) {
    const count = min(PIECE, inputs - begin);
    let weights = panel + panelBytes<W>(begin);
    if (sizeof<W>() != 4) {
      widen<W>(weights, count, widened);
      weights = widened;
    }
    let from = x + (<usize>begin << 2);
    let to = tile;
    for (let row: u32 = 0; row < rows; row += 4) {
      addRows<f32>(min<u32>(4, rows - row), from, stride, weights, count, to);
      from += stride << 2;
      to += 128;
    }
  }
}
