// The model in the forms that contenders take, made where they are missing.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { quantizeModel } from "kedge";
import { localFolder, openWeights, writeSafetensors, type TensorToWrite } from "kedge/loaders";
import type { ModelFiles } from "./contender.ts";
import { makeOnnxFolder } from "./onnx/folder.ts";

/** Positions that the ONNX models' rotary tables cover. */
const POSITIONS = 2048;

/** Where the model comes from. */
export interface ModelOrigin {
  readonly gguf: string;
  readonly folder: string;
  /** a script that makes the folder from the GGUF: `node SCRIPT GGUF FOLDER`; needed where there is no folder */
  readonly converter: string | undefined;
  /** where made files are kept */
  readonly made: string;
}

/** Fills a folder under another name and renames it: one that exists is complete. */
async function makeFolder(path: string, fill: (unfinished: string) => Promise<void> | void): Promise<void> {
  if (existsSync(path)) return;
  const unfinished = `${path}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    await fill(unfinished);
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function convert(converter: string, gguf: string, folder: string): void {
  const { status } = spawnSync(process.execPath, [converter, gguf, folder], { stdio: "inherit" });
  if (status !== 0) throw new Error(`node ${converter} ended with ${status}`);
  const tokenizer = join(dirname(gguf), "tokenizer.json");
  if (existsSync(tokenizer)) copyFileSync(tokenizer, join(folder, "tokenizer.json"));
}

async function widen(from: string, to: string): Promise<void> {
  for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"])
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
  const weights = await openWeights(localFolder(from));
  try {
    const tensors: TensorToWrite[] = [];
    for (const name of weights.tensors.keys()) {
      const { shape, values } = await weights.readTensor(name);
      tensors.push({ name, dtype: "F32", shape, values: Float32Array.from(values as ArrayLike<number>) });
    }
    writeFileSync(join(to, "model.safetensors"), writeSafetensors(tensors));
  } finally {
    await weights.close();
  }
}

/** Makes what is missing, and says where all of it lies. */
export async function makeModelFiles(origin: ModelOrigin, onProgress: (line: string) => void): Promise<ModelFiles> {
  const { gguf, folder, converter, made } = origin;
  mkdirSync(made, { recursive: true });
  if (!existsSync(join(folder, "config.json"))) {
    if (converter === undefined)
      throw new Error(`there is no folder ${folder}: name one that exists, or a --converter that makes it of ${gguf}`);
    onProgress(`making ${folder} of ${gguf}`);
    await makeFolder(folder, (unfinished) => convert(converter, gguf, unfinished));
  }
  const wideFolder = join(made, "f32");
  const onnxFolder = join(made, "onnx");
  if (!existsSync(wideFolder)) onProgress(`making ${wideFolder}`);
  await makeFolder(wideFolder, (unfinished) => widen(folder, unfinished));
  const quantizedFolder = join(made, "kedge-int4");
  if (!existsSync(quantizedFolder)) {
    onProgress(`making ${quantizedFolder}`);
    await quantizeModel(folder, quantizedFolder, { format: "int4" });
  }
  onProgress(`making what is missing of ${onnxFolder}`);
  await makeOnnxFolder(folder, onnxFolder, ["f32", "int8", "int4"], POSITIONS);
  return { gguf, folder, wideFolder, onnxFolder, quantizedFolder };
}
