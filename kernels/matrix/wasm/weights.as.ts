// Weights of a panel as f32. The format is a type: f32 for f32, i16 for f16, u16 for bf16, i8 for int8, u8 for int4, so that each kernel
// is compiled once per format. Stored weights of one column are side by side, for eight rows: 32 bytes of f32, 16 of f16 or bf16. Groups
// of quantized weights are laid out as pack-quantized.ts says: 272 bytes of int8, 160 of int4.

import { firstFour, lastFour, loadFirst, loadLast } from "./eight-weights.as";
import { widenInt4, widenInt8 } from "./weights.quantized.as";

@inline
function half(at: usize): f32 {
  return reinterpret<f32>((<i32>(<u32>load<u16>(at) << 16) >> 3) & 0x8fffe000) * <f32>5192296858534827628530496329220096.0;
}

/** Bytes of a panel's first `columns` columns; of quantized ones, whose last group is always whole, up to a group's end. */
@inline
export function panelBytes<W>(columns: i32): usize {
  if (sizeof<W>() == 1) return <usize>((columns + 31) >> 5) * (isSigned<W>() ? 272 : 160);
  return <usize>columns * (sizeof<W>() << 3);
}

/** One weight of a panel: row 0..7, any column. */
@inline
export function weightOf<W>(panel: usize, row: usize, column: i32): f32 {
  if (isFloat<W>()) return load<f32>(panel + (((<usize>column << 3) + row) << 2));
  if (sizeof<W>() == 2) {
    const at = panel + (((<usize>column << 3) + row) << 1);
    return isSigned<W>() ? half(at) : reinterpret<f32>(<u32>load<u16>(at) << 16);
  }
  const group = panel + <usize>(column >> 5) * (isSigned<W>() ? 272 : 160);
  const i = <usize>(column & 31);
  const scale = half(group + (row << 1));
  if (isSigned<W>()) return scale * <f32>load<i8>(group + 16 + ((i >> 1) << 4) + (row << 1) + (i & 1));
  const byte = group + 32 + ((i >> 3) << 5) + ((row >> 2) << 4) + ((row & 3) << 2) + (i & 3);
  return scale * <f32>((load<u8>(byte) >> <u8>(i & 4)) & 15) + half(group + 16 + (row << 1));
}

/**
 * Turns columns of eight weights each into f32: [columns][8] at `to`. Quantized ones begin at a group, and are written up to
 * the end of one.
 */
export function widen<W>(from: usize, columns: i32, to: usize): void {
  if (sizeof<W>() == 1) {
    for (; columns > 0; columns -= 32, to += 1024) {
      if (isSigned<W>()) widenInt8(from, to);
      else widenInt4(from, to);
      from += isSigned<W>() ? 272 : 160;
    }
    return;
  }
  for (let i = 0; i < columns; i++) {
    const bits = loadFirst<W>(from);
    v128.store(to, firstFour<W>(bits));
    v128.store(to, lastFour<W>(loadLast<W>(from, bits)), 16);
    from += sizeof<W>() << 3;
    to += 32;
  }
}
