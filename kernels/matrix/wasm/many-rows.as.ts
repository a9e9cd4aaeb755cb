// Many rows times panels. Rows are taken in chunks that stay in the second-level cache, packed in blocks (packed-rows). Each panel is
// widened to f32 in pieces that stay in the first-level cache, once for all rows of a chunk.
//
//   scratch   widened piece of a panel [PIECE][8] · tiles [CHUNK_ROWS][8], two of them · packed rows of a chunk

import { evenPart, scratchAddress } from "../../call.as";
import { addBlocks, BLOCK_ROWS, packBlocks } from "./packed-rows.as";
import { panelBytes, widen } from "./weights.as";

/** Rows of a chunk at most; its tiles have room for three more, which a last block may lack. */
const CHUNK_ROWS: u32 = 252;
const TILE_BYTES: usize = 8 * 1024;
/** Columns of a panel that are widened and used at a time: whole groups. */
const PIECE: i32 = 512;
const PIECE_BYTES: usize = 16 * 1024;
const PACKED: usize = PIECE_BYTES + 2 * TILE_BYTES;
/** Bytes of a chunk's packed rows: six rows of the longest kind fit the scratch, and more are taken as long as they stay below this. */
const CHUNK_BYTES: usize = 528 * 1024;

/** Where tile 0 or 1 lies: [rows of the chunk][8]. */
@inline
export function tileAddress(which: usize): usize {
  return scratchAddress() + PIECE_BYTES + which * TILE_BYTES;
}

@inline
function wholeBlocks(rows: u32): u32 {
  return rows / BLOCK_ROWS * BLOCK_ROWS;
}

/** How many rows to take at once: chunks of about the same size. */
export function chunkRows(rows: u32, inputs: i32): u32 {
  const most = max<u32>(BLOCK_ROWS, wholeBlocks(min<u32>(CHUNK_ROWS, <u32>(CHUNK_BYTES / (<usize>inputs << 2)))));
  return wholeBlocks(evenPart(rows, most) + BLOCK_ROWS - 1);
}

/** Makes a chunk of rows of x [rows][inputs] ready for `multiplyChunk`. */
export function openChunk(x: usize, rows: u32, inputs: i32): void {
  packBlocks(x, rows, inputs, scratchAddress() + PACKED);
}

/** tile [rows][8] = the chunk's rows [rows][inputs] times a panel. */
export function multiplyChunk<W>(rows: u32, panel: usize, inputs: i32, tile: usize): void {
  const widened = scratchAddress();
  memory.fill(tile, 0, (<usize>rows + 3) << 5);
  for (let begin: i32 = 0; begin < inputs; begin += PIECE) {
    const count = min(PIECE, inputs - begin);
    let weights = panel + panelBytes<W>(begin);
    if (sizeof<W>() != 4) {
      widen<W>(weights, count, widened);
      weights = widened;
    }
    addBlocks(scratchAddress() + PACKED, rows, inputs, begin, weights, count, tile);
  }
}
