// Quantizing rows with the vector kernels in the caller's own thread, a piece at a time: for devices that pack rows in
// JavaScript, and for writing files. Where WebAssembly cannot be had, or gives other bits than the definition on a sample, the
// definition does it.

import {
  decodeWeights,
  planesOf,
  quantizeRows,
  seededRandom,
  type QuantizedFormat,
  type StoredFormat,
  quantizeRowsCall,
  STORED_CODES,
  wordsOf,
} from "../../../kernels/index.ts";
import { instantiate, SCRATCH_BYTES, STATIC_BYTES } from "./instance.ts";
import { loadModule } from "./module.ts";
import { PAGE_BYTES, webAssembly } from "./platform.ts";

/** Makes the planes of quantized-rows.ts of whole stored rows; the result is a copy. */
export type Quantizer = (
  format: QuantizedFormat,
  stored: StoredFormat,
  bytes: Uint8Array,
  columns: number,
) => Uint8Array<ArrayBuffer>;

const FUNCTIONS = { int8: "quantizeRowsInt8", int4: "quantizeRowsInt4" } as const;
const SLACK_BYTES = 64;
/** Where the call's words lie, and behind them the rows. */
const CALL = STATIC_BYTES + SCRATCH_BYTES;
const FROM = CALL + 64;

const byDefinition: Quantizer = (format, stored, bytes, columns) =>
  quantizeRows(format, decodeWeights(stored, bytes), columns);

let opening: Promise<Quantizer> | undefined;

/** The quantizer of this thread; made when it is first asked for. */
export function openQuantizer(): Promise<Quantizer> {
  opening ??= make().catch(() => byDefinition);
  return opening;
}

async function make(): Promise<Quantizer> {
  const { module } = await loadModule(false, false);
  const memory = new webAssembly.Memory({ initial: 4, maximum: 65536 });
  const { named } = instantiate(module, memory, STATIC_BYTES);
  const quantizer: Quantizer = (format, stored, bytes, columns) => {
    const size = stored === "f32" ? 4 : 2;
    const rows = bytes.byteLength / (columns * size);
    const to = FROM + Math.ceil((bytes.byteLength + SLACK_BYTES) / 64) * 64;
    const { byteLength } = planesOf(format, rows, columns);
    const missing = Math.ceil((to + byteLength + SLACK_BYTES - memory.buffer.byteLength) / PAGE_BYTES);
    if (missing > 0) memory.grow(missing);
    new Uint8Array(memory.buffer, FROM, bytes.byteLength).set(bytes);
    const words = wordsOf(quantizeRowsCall, { from: FROM, to, rows, columns, stored: STORED_CODES[stored] });
    new Uint32Array(memory.buffer, CALL, words.length).set(words);
    named(FUNCTIONS[format])(CALL, 0, 1);
    return new Uint8Array(memory.buffer, to, byteLength).slice();
  };
  const random = seededRandom(1);
  const sample = new Uint8Array(Float32Array.from({ length: 3 * 75 }, () => random.normal()).buffer);
  const isRight = (["int8", "int4"] as const).every((format) => {
    const want = byDefinition(format, "f32", sample, 75);
    return quantizer(format, "f32", sample, 75).every((byte, i) => byte === want[i]);
  });
  return isRight ? quantizer : byDefinition;
}
