// Folders that transformers.js loads: config.json, the tokenizer, and onnx/model*.onnx in the formats asked for.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { loadConfig, localFolder, openWeights } from "kedge/loaders";
import { llamaModel } from "./llama.ts";
import type { Message } from "./protobuf.ts";
import type { OnnxFormat } from "./weights.ts";

/** The dtype by which transformers.js asks for a format, and the file that it then wants. */
export const ONNX_FILES: Readonly<Record<OnnxFormat, { readonly dtype: "fp32" | "q8" | "q4"; readonly file: string }>> =
  {
    f32: { dtype: "fp32", file: "model.onnx" },
    int8: { dtype: "q8", file: "model_quantized.onnx" },
    int4: { dtype: "q4", file: "model_q4.onnx" },
  };

const COPIED = ["config.json", "tokenizer.json", "tokenizer_config.json"] as const;

/** Writes a message; a file that exists is complete. */
export function writeMessage(path: string, message: Message): void {
  const unfinished = `${path}.${process.pid}`;
  const file = openSync(unfinished, "w");
  try {
    for (const piece of message) {
      for (let at = 0; at < piece.byteLength;) at += writeSync(file, piece, at);
    }
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, path);
}

/** Makes what is missing of the ONNX folder `out` of the Hugging Face folder `from`. */
export async function makeOnnxFolder(
  from: string,
  out: string,
  formats: readonly OnnxFormat[],
  positions: number,
): Promise<void> {
  const missing = formats.filter((format) => !existsSync(join(out, "onnx", ONNX_FILES[format].file)));
  if (missing.length === 0) return;
  mkdirSync(join(out, "onnx"), { recursive: true });
  for (const name of COPIED) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(out, name));
  }
  writeFileSync(join(out, "generation_config.json"), "{}");
  const folder = localFolder(from);
  const config = await loadConfig(folder);
  const weights = await openWeights(folder);
  try {
    const read = async (name: string): Promise<Float32Array> => {
      const { values } = await weights.readTensor(name);
      return values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>);
    };
    for (const format of missing) {
      writeMessage(join(out, "onnx", ONNX_FILES[format].file), await llamaModel(config, read, { format, positions }));
    }
  } finally {
    await weights.close();
  }
}
