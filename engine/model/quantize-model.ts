// Writes a folder of a model with quantized matrices, which then load without conversion. loaders/quantized.ts defines the layout of
// the files. The numbers are the same, to the bit, as those of quantizing at load.

import { isQuantized, planesOf, type QuantizedFormat, type StoredFormat } from "../../kernels/index.ts";
import {
  createFolder,
  loadConfig,
  findFolder,
  openWeights,
  planSafetensors,
  quantizationOf,
  quantizedMetadata,
  quantizedTensors,
  UnsupportedError,
  type FolderWriter,
  type ModelConfig,
  type ModelFolder,
  type Checkpoint,
} from "../../loaders/index.ts";
import { CheckpointReader } from "./checkpoint-reader.ts";
import { configAsStored } from "./config-as-stored.ts";
import { checkOptions } from "../options.ts";
import type { ModelSource } from "./load-model.ts";
import { isOuter, type MatrixTensor } from "./weight-list.ts";
import { findWeights, quantizedFormatOf, unusedTensors } from "./weights.ts";

/** How {@link quantizeModel} works. */
export interface QuantizeModelOptions {
  readonly format: QuantizedFormat;
  /** bytes of the checkpoint that are done, of all that are to be read */
  readonly onProgress?: ((done: number, of: number, tensor: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The result of {@link quantizeModel}. */
export interface QuantizedModel {
  /** bytes of the weights, as they were and as they are */
  readonly byteLengthBefore: number;
  readonly byteLength: number;
  /** matrices that were quantized */
  readonly matrices: number;
  /** other files that were copied */
  readonly copied: readonly string[];
  /** tensors that are not part of the model's family, and were left out */
  readonly leftOut: readonly string[];
}

/** A matrix of the checkpoint, and what it becomes. */
interface Job extends MatrixTensor {
  readonly format: QuantizedFormat;
}

/** Weights that are quantized at a time, so that the caller's thread is never held for long. */
const PIECE_WEIGHTS = 1 << 18;
/** Bytes of a copied file or tensor that are in memory at a time. */
const COPY_BYTES = 8 << 20;
const WEIGHTS_FILE = "model.safetensors";
/** Files that are looked for in a folder that cannot list its files. */
const KNOWN_FILES = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
  "additional_chat_templates/tool_use.jinja",
  "additional_chat_templates/rag.jinja",
  "LICENSE",
  "README.md",
] as const;

/**
 * Writes `out`, a new folder with the model's matrices as int8 or int4 (embedding and head are int8 with int4, too) and all else
 * as it is. Reads and writes piece by piece; `out` appears when it is whole (Node only).
 *
 * Throws a FormatError for files that are wrong and for an `out` that is there already, and an UnsupportedError for a model that
 * kedge does not run or that is quantized already.
 */
export async function quantizeModel(
  source: ModelSource,
  out: string,
  options: QuantizeModelOptions,
): Promise<QuantizedModel> {
  checkOptions("quantizeModel", options, { format: true, onProgress: true, signal: true });
  const { format, onProgress, signal } = options;
  if (!isQuantized(format)) throw new UnsupportedError(`format is "${String(format)}": use "int8" or "int4"`);
  const { folder } = await findFolder(source, { signal });
  const declared = await loadConfig(folder, signal);
  const checkpoint = await openWeights(folder, signal);
  let writer: FolderWriter | undefined;
  try {
    const stored = quantizationOf(checkpoint);
    if (stored) {
      throw new UnsupportedError(
        `${folder.name}: its weights are quantized to ${stored} already: quantize the model that they were made of`,
      );
    }
    const config = await configAsStored(declared, checkpoint, signal);
    const { jobs, vectors, leftOut } = await listTensors(checkpoint, config, folder.name, { format, signal });
    writer = await createFolder(out);
    const copied = await copyFiles(folder, writer, signal);
    const byteLength = await writeWeights(
      { checkpoint, folder, jobs, vectors, writer },
      { format, onProgress, signal },
    );
    signal?.throwIfAborted();
    await writer.commit();
    return { byteLengthBefore: checkpoint.totalByteLength, byteLength, matrices: jobs.length, copied, leftOut };
  } finally {
    await writer?.discard();
    await checkpoint.close();
  }
}

/** Which tensors are matrices to be quantized, which are kept, and which are no part of the model. Reads none. */
async function listTensors(
  checkpoint: Checkpoint,
  config: ModelConfig,
  file: string,
  { format: quantize, signal }: Pick<QuantizeModelOptions, "format" | "signal">,
): Promise<{ jobs: Job[]; vectors: string[]; leftOut: readonly string[] }> {
  const found = findWeights(checkpoint, config, { file, quantize });
  const { weights } = found;
  const unused = await unusedTensors(checkpoint, found, signal);
  const jobs = weights.flatMap(({ spec }): Job[] => {
    if (spec.kind === "vector") return [];
    const format = quantizedFormatOf(quantize, isOuter(spec)) ?? quantize;
    return spec.tensors.map(({ name, rows, columns, isTransposed }) => ({ name, rows, columns, isTransposed, format }));
  });
  const vectors = weights.flatMap(({ spec }) => (spec.kind === "vector" ? spec.tensors.map(({ name }) => name) : []));
  // files are in the order of the checkpoint
  const places = new Map([...checkpoint.tensors.keys()].map((name, i) => [name, i]));
  jobs.sort((a, b) => places.get(a.name)! - places.get(b.name)!);
  return { jobs, vectors, leftOut: unused };
}

/** Files of weights, in this format or another: they are not copied. Golden tensors are, for `kedge verify`. */
function isWeights(file: string): boolean {
  return (
    (/\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf|onnx)$/.test(file) && file !== "golden.safetensors") ||
    file.endsWith(".index.json")
  );
}

/** Copies everything but weights. */
async function copyFiles(folder: ModelFolder, writer: FolderWriter, signal?: AbortSignal): Promise<string[]> {
  const copied: string[] = [];
  for (const file of (await folder.list?.()) ?? KNOWN_FILES) {
    if (isWeights(file) || !(await folder.has(file))) continue;
    const source = await folder.open(file);
    const target = await writer.addFile(file);
    try {
      for (let begin = 0; begin < source.byteLength; begin += COPY_BYTES) {
        const end = Math.min(source.byteLength, begin + COPY_BYTES);
        await target.write(await source.read(begin, end, signal), begin);
      }
      copied.push(file);
    } finally {
      await target.close();
      await source.close();
    }
  }
  return copied;
}

/** The data to write, and the writer. */
interface Output {
  readonly checkpoint: Checkpoint;
  readonly folder: ModelFolder;
  readonly jobs: readonly Job[];
  readonly vectors: readonly string[];
  readonly writer: FolderWriter;
}

/** Writes model.safetensors: what is kept, the largest elements first, then the parts of each matrix side by side. Returns its tensors' bytes. */
async function writeWeights(
  { checkpoint, folder, jobs, vectors, writer }: Output,
  { format, onProgress, signal }: QuantizeModelOptions,
): Promise<number> {
  const infos = vectors.map((name) => checkpoint.tensors.get(name)!);
  const kept = infos.sort((a, b) => elementBits(b) - elementBits(a) || (a.name < b.name ? -1 : 1));
  const matrices = jobs.flatMap((job) => quantizedTensors(job.format, job.name, job.rows, job.columns));
  const metadata = { format: "pt", ...quantizedMetadata(format) };
  const { head, places, byteLength } = planSafetensors([...kept, ...matrices], metadata);
  const file = await writer.addFile(WEIGHTS_FILE);
  const reader = new CheckpointReader(checkpoint, folder.name, false);
  let done = 0;
  try {
    await file.write(head, 0);
    for (const { name, byteLength: whole } of kept) {
      for (let begin = 0; begin < whole; begin += COPY_BYTES) {
        const bytes = await checkpoint.readBytes(name, { begin, end: Math.min(whole, begin + COPY_BYTES), signal });
        await file.write(bytes, places.get(name)!.begin + begin);
      }
      onProgress?.((done += whole), checkpoint.totalByteLength, name);
    }
    for (const job of jobs) {
      const begins = quantizedTensors(job.format, job.name, job.rows, job.columns).map(
        ({ name }) => places.get(name)!.begin,
      );
      for await (const { planes, row, byteLength: read } of quantizedPieces(reader, job, signal)) {
        for (const [i, { bytes, rowBytes }] of planes.entries()) await file.write(bytes, begins[i]! + row * rowBytes);
        onProgress?.((done += read), checkpoint.totalByteLength, job.name);
      }
    }
  } finally {
    await file.close();
  }
  return byteLength - head.byteLength;
}

function elementBits({
  byteLength,
  shape,
}: {
  readonly byteLength: number;
  readonly shape: readonly number[];
}): number {
  return (
    byteLength /
    Math.max(
      1,
      shape.reduce((product, size) => product * size, 1),
    )
  );
}

/** Some rows of a matrix, plane by plane. */
interface QuantizedPiece {
  readonly row: number;
  readonly planes: readonly { readonly bytes: Uint8Array; readonly rowBytes: number }[];
  /** of the floats that they were made of */
  readonly byteLength: number;
}

async function* quantizedPieces(
  reader: CheckpointReader,
  { format, ...tensor }: Job,
  signal: AbortSignal | undefined,
): AsyncGenerator<QuantizedPiece, void, undefined> {
  const { name, rows, columns } = tensor;
  const source = reader.matrix(name, [tensor], { isFinite: true });
  const step = Math.max(1, Math.floor(PIECE_WEIGHTS / columns));
  const { openQuantizer } = await import("../devices/wasm/quantizer.ts");
  const quantizer = await openQuantizer();
  for (let row = 0; row < rows; row += step) {
    const end = Math.min(rows, row + step);
    signal?.throwIfAborted();
    const stored = await source.read(row, end, signal);
    const kept = source.format as StoredFormat;
    const bytes = quantizer(format, kept, stored, columns);
    const { groups, codeBytes, minima, scales } = planesOf(format, end - row, columns);
    const codes = { bytes: bytes.subarray(0, minima), rowBytes: codeBytes };
    const base = { bytes: bytes.subarray(minima, scales), rowBytes: groups * 2 };
    const factors = { bytes: bytes.subarray(scales), rowBytes: groups * 2 };
    yield { row, planes: format === "int8" ? [codes, factors] : [codes, base, factors], byteLength: stored.byteLength };
  }
}
