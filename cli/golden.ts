// Reads golden tensors that another program made: finds the tensors of a model's forward pass in a file and checks their shapes.
//
//   input_ids    [batch, tokens] or [tokens]: what everything else is about; the axis [batch] is there or not as it is here
//   logits       [batch, tokens, vocab]                 logits.last     [batch, vocab]
//   hidden.N     [batch, tokens, dim]                   hidden.last     [batch, layers + 1, dim]
//   attention.N  [batch, heads, tokens, tokens]         attention.last  [batch, layers, heads, tokens]
//   token_logprobs [batch, tokens - 1]                  greedy          [batch, tokens + more]
// hidden.0 is the embedding, hidden.N the input of layer N, the last one the output of the final norm; `.last` are those of the
// last token. "0.logits" and so on are of a prompt of its own, "0.input_ids"; "laa.logits" are of a model with anchors as it is.

import {
  decodeBf16,
  decodeF16,
  FormatError,
  type ModelConfig,
  type SafetensorsFile,
  type TensorInfo,
} from "kedge/loaders";

/** The kind of tensor that a golden one is compared with. */
export type GoldenKind = "hidden" | "attention" | "logits" | "token_logprobs";

/** A tensor to compare. */
export interface GoldenTensor {
  readonly info: TensorInfo;
  readonly kind: GoldenKind;
  /** layers that it is about: hidden and attention have one, or, of the last token, all; others none */
  readonly layers: readonly number[];
  readonly isLastToken: boolean;
}

/** One prompt of one group: a row of its batch. */
export interface GoldenRow {
  readonly tokens: readonly number[];
  readonly row: number;
  readonly rows: number;
  readonly tensors: readonly GoldenTensor[];
  readonly greedy: TensorInfo | undefined;
}

/** The golden tensors of a model in a file. */
export interface Goldens {
  readonly rows: readonly GoldenRow[];
  /** every tensor to compare, over all rows */
  readonly tensors: readonly GoldenTensor[];
  /** names of tensors that are of something else */
  readonly notCompared: readonly string[];
}

const NAME =
  /^(?:(\d+|laa)\.)?(?:(input_ids|greedy|token_logprobs|logits|logits\.last)|(hidden|attention)\.(\d+|last))$/;

interface Group {
  inputs: TensorInfo | undefined;
  greedy: TensorInfo | undefined;
  readonly tensors: GoldenTensor[];
}

/** Reads which tensors there are. Throws a FormatError for shapes that do not fit the model, and for nothing to compare. */
export async function readGoldens(file: SafetensorsFile, config: ModelConfig): Promise<Goldens> {
  const groups = new Map<string, Group>();
  const notCompared: string[] = [];
  for (const [name, info] of file.tensors) {
    const [matched, prefix = "", plain, layered, at] = NAME.exec(name) ?? [];
    if (matched === undefined || (prefix === "laa" && config.anchors === null)) {
      notCompared.push(name);
      continue;
    }
    const group = groups.get(prefix) ?? { inputs: undefined, greedy: undefined, tensors: [] };
    groups.set(prefix, group);
    if (plain === "input_ids") group.inputs = info;
    else if (plain === "greedy") group.greedy = info;
    else group.tensors.push(goldenTensor(file, info, config, plain, layered, at));
  }
  const rows: GoldenRow[] = [];
  for (const [prefix, group] of groups) {
    if (group.tensors.length === 0 && !group.greedy) continue;
    rows.push(...(await rowsOf(file, group, group.inputs ?? groups.get("")?.inputs, prefix, config)));
  }
  const tensors = [...groups.values()].flatMap((group) => group.tensors);
  if (rows.length === 0) {
    const wanted = "input_ids and some of logits, hidden.N, attention.N, token_logprobs, greedy";
    throw new FormatError(
      file.name,
      `holds nothing to compare among its ${file.tensors.size} tensors; wanted ${wanted}`,
    );
  }
  return { rows, tensors, notCompared };
}

function goldenTensor(
  file: SafetensorsFile,
  info: TensorInfo,
  { layers }: ModelConfig,
  plain: string | undefined,
  layered: string | undefined,
  at: string | undefined,
): GoldenTensor {
  if (layered !== "hidden" && layered !== "attention") {
    const kind = plain === "token_logprobs" ? plain : "logits";
    return { info, kind, layers: [], isLastToken: plain === "logits.last" };
  }
  const count = layered === "hidden" ? layers + 1 : layers;
  if (at === "last") {
    return { info, kind: layered, layers: Array.from({ length: count }, (_, layer) => layer), isLastToken: true };
  }
  const layer = Number(at);
  if (layer < count) return { info, kind: layered, layers: [layer], isLastToken: false };
  throw new FormatError(
    file.name,
    `has a tensor "${info.name}", but with ${layers} layers the last of its kind is ${layered}.${count - 1}`,
    { tensor: info.name },
  );
}

async function rowsOf(
  file: SafetensorsFile,
  { tensors, greedy }: Group,
  inputs: TensorInfo | undefined,
  prefix: string,
  config: ModelConfig,
): Promise<GoldenRow[]> {
  if (!inputs) {
    const name = prefix === "" ? "input_ids" : `${prefix}.input_ids`;
    throw new FormatError(file.name, `has no tensor "${name}" that says which tokens its others are about`);
  }
  const { shape } = inputs;
  const length = shape.at(-1) ?? 0;
  if (shape.length < 1 || shape.length > 2 || length === 0) {
    throw new FormatError(
      file.name,
      `tensor "${inputs.name}" has the shape [${shape.join(",")}]; wanted [batch,tokens] or [tokens], at least 1 token`,
      { tensor: inputs.name },
    );
  }
  const batch = shape.slice(0, -1);
  for (const tensor of tensors) checkShape(file, tensor.info, [...batch, ...rowShape(tensor, length, config)]);
  if (greedy) checkShape(file, greedy, [...batch, Math.max(length + 1, greedy.shape.at(-1) ?? 0)]);
  const rows = batch[0] ?? 1;
  const read = Array.from({ length: rows }, async (_, row) => {
    const tokens = await readTokens(file, inputs, row, rows);
    return { tokens, row, rows, tensors, greedy };
  });
  return Promise.all(read);
}

/** The shape of one row of the batch. */
function rowShape(
  { kind, isLastToken }: GoldenTensor,
  tokens: number,
  { vocabSize, dim, heads, layers }: ModelConfig,
): number[] {
  switch (kind) {
    case "logits":
      return isLastToken ? [vocabSize] : [tokens, vocabSize];
    case "hidden":
      return isLastToken ? [layers + 1, dim] : [tokens, dim];
    case "attention":
      return isLastToken ? [layers, heads, tokens] : [heads, tokens, tokens];
    case "token_logprobs":
      return [tokens - 1];
    default:
      throw new TypeError(`there is no kind ${String(kind satisfies never)}`);
  }
}

function checkShape(file: SafetensorsFile, { name, shape }: TensorInfo, wanted: readonly number[]): void {
  if (shape.length === wanted.length && shape.every((size, axis) => size === wanted[axis])) return;
  throw new FormatError(
    file.name,
    `tensor "${name}" has the shape [${shape.join(",")}]; this model and these tokens give [${wanted.join(",")}]`,
    { tensor: name },
  );
}

/** The numbers of one row of a tensor's batch. Throws a FormatError for a dtype that is no float. */
export async function readFloats(
  file: SafetensorsFile,
  info: TensorInfo,
  row: number,
  rows: number,
  signal?: AbortSignal,
): Promise<Float32Array | Float64Array> {
  const { buffer, byteLength } = await readRow(file, info, row, rows, signal);
  switch (info.dtype) {
    case "F32":
      return new Float32Array(buffer, 0, byteLength / 4);
    case "F64":
      return new Float64Array(buffer, 0, byteLength / 8);
    case "F16":
      return decodeF16(new Uint16Array(buffer, 0, byteLength / 2));
    case "BF16":
      return decodeBf16(new Uint16Array(buffer, 0, byteLength / 2));
    default:
      throw new FormatError(file.name, `tensor "${info.name}" is ${info.dtype}; wanted F32, F64, F16 or BF16`, {
        tensor: info.name,
      });
  }
}

/** The tokens of one row of a tensor's batch. Throws a FormatError for a dtype that is no integer. */
export async function readTokens(
  file: SafetensorsFile,
  info: TensorInfo,
  row: number,
  rows: number,
  signal?: AbortSignal,
): Promise<number[]> {
  const { buffer, byteLength } = await readRow(file, info, row, rows, signal);
  if (info.dtype === "I64") return Array.from(new BigInt64Array(buffer, 0, byteLength / 8), Number);
  if (info.dtype === "I32") return Array.from(new Int32Array(buffer, 0, byteLength / 4));
  throw new FormatError(file.name, `tensor "${info.name}" is ${info.dtype}; wanted I64 or I32`, { tensor: info.name });
}

/** A copy, so that it begins where a typed array may begin. */
async function readRow(
  file: SafetensorsFile,
  { name, byteLength }: TensorInfo,
  row: number,
  rows: number,
  signal: AbortSignal | undefined,
): Promise<{ buffer: ArrayBuffer; byteLength: number }> {
  const size = byteLength / rows;
  const bytes = new Uint8Array(await file.readBytes(name, { begin: row * size, end: (row + 1) * size, signal }));
  return { buffer: bytes.buffer, byteLength: bytes.byteLength };
}
