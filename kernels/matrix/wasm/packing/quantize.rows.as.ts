// quantizeRows of quantized-rows.ts: stored rows to planes of codes, minima and scales, for devices that pack rows in JavaScript and for
// writing files. Threads share the rows. Calls: packing-calls.ts.

import { scratchAddress, shareBegin } from "../../../call.as";
import { QuantizeRowsCall } from "../../../calls/quantize-rows.as";
import { joinNibbles } from "./pack.quantized.as";
import { CODES, GROUP_BYTES, MINIMUM, quantizeInt4, quantizeInt8, SCALE } from "./quantize.as";
import { storedGroup } from "./weights.stored.as";

function quantizeRows(isInt8: bool, call: QuantizeRowsCall, thread: i32, threads: i32): void {
  const rows = call.rows, columns = call.columns, stored = call.stored;
  const groups = (columns + 31) >> 5;
  const codeBytes = <usize>(isInt8 ? columns : (columns + 1) >> 1);
  const to = call.to;
  const minima = to + <usize>rows * codeBytes;
  const scales = minima + (isInt8 ? 0 : (<usize>rows * <usize>groups) << 1);
  const weightBytes: usize = stored == 0 ? 4 : 2;
  const group = scratchAddress(), centered = group + GROUP_BYTES, nibbles = centered + GROUP_BYTES;
  const end = shareBegin(rows, thread + 1, threads);
  for (let row = shareBegin(rows, thread, threads); row < end; row++) {
    const from = call.from + <usize>row * <usize>columns * weightBytes;
    const line = to + <usize>row * codeBytes;
    for (let g: u32 = 0; g < groups; g++) {
      const column = g << 5;
      const count = min(32, columns - column);
      const half = (<usize>row * <usize>groups + <usize>g) << 1;
      storedGroup(stored, from + <usize>column * weightBytes, count, group);
      if (isInt8) {
        quantizeInt8(group, count);
        memory.copy(line + <usize>column, group + CODES, <usize>count);
      } else {
        quantizeInt4(group, count, centered);
        joinNibbles(group + CODES, nibbles);
        memory.copy(line + (<usize>column >> 1), nibbles, <usize>((count + 1) >> 1));
        store<u16>(minima + half, load<u16>(group, MINIMUM));
      }
      store<u16>(scales + half, load<u16>(group, SCALE));
    }
  }
}

export function quantizeRowsInt8(call: QuantizeRowsCall, thread: i32, threads: i32): void {
  quantizeRows(true, call, thread, threads);
}
export function quantizeRowsInt4(call: QuantizeRowsCall, thread: i32, threads: i32): void {
  quantizeRows(false, call, thread, threads);
}
