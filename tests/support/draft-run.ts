// Drafts over a small set of tensors, and their replay on the reference device: for comparing a draft with what it is fused to.

import { expect } from "vitest";
import { ReferenceDevice } from "../../engine/devices/reference/reference-device.ts";
import type { Matrix, Tensor } from "../../engine/devices/tensor.ts";
import { fuse } from "../../engine/model/fuse.ts";
import { assemble, Draft, type Declared, type DraftTensor, type DraftEntry } from "../../engine/model/draft.ts";
import { variable, type Value } from "../../engine/devices/program.ts";
import {
  ACTIVATIONS,
  activate,
  add,
  attendPattern,
  attendWithPattern,
  DENSE,
  embed,
  linear,
  normalize,
  PATTERN_KINDS,
  rmsNorm,
  rotate,
  rotateStore,
  scaleShift,
  seededRandom,
  selectRows,
  softmax,
  sumHeads,
} from "kedge/kernels";

export const DIM = 4;
export const HEADS = 2;
export const KV_HEADS = 1;
export const HEAD_DIM = 2;
export const ROWS = 3;
/** [q | k | v] */
export const QKV_WIDTH = (HEADS + 2 * KV_HEADS) * HEAD_DIM;
export const SLOTS = 5;
const KEYS = ROWS;

/** The variables of the steps that are replayed. */
const STEP = { rows: ROWS, columns: KEYS, softmaxRows: ROWS * HEADS };
/** A step by which sizes are compared. */
export const EXAMPLE = { rows: 1009, columns: 1019, softmaxRows: 1009 * HEADS };

/** The tensors of the device that drafts are made over. */
export interface Bench {
  readonly device: ReferenceDevice;
  readonly matrices: Readonly<Record<"a" | "b" | "qkv" | "table", Matrix>>;
  /** vectors [DIM], tables, and what steps write */
  readonly inputs: Readonly<
    Record<
      | "weight"
      | "bias"
      | "headNorm"
      | "positionTable"
      | "x"
      | "rotation"
      | "tokens"
      | "positions"
      | "slots"
      | "ranges"
      | "entries",
      Tensor
    >
  >;
  /** what is seen from outside; random when a replay begins */
  readonly results: Readonly<Record<"first" | "second" | "qkv" | "cache" | "sums", Tensor>>;
}

/** Opens a device with random numbers in the inputs. */
export async function openBench(): Promise<Bench> {
  const device = new ReferenceDevice();
  const random = seededRandom(11);
  const normals = (length: number) => Float32Array.from({ length }, () => random.normal());
  const tensor = (label: string, data: Float32Array | Uint32Array) => {
    const type = data instanceof Uint32Array ? "u32" : "f32";
    const held = device.createTensor(label, type, data.length, "activations");
    device.write({ tensor: held, data });
    return held;
  };
  const matrix = (label: string, rows: number, columns: number) => {
    const bytes = new Uint8Array(normals(rows * columns).buffer);
    const read = (begin: number, end: number) => Promise.resolve(bytes.slice(begin * columns * 4, end * columns * 4));
    return device.createMatrix({ label, rows, columns, format: "f32", read });
  };
  const angles = [...normals((ROWS * HEAD_DIM) / 2)];
  return {
    device,
    matrices: {
      a: await matrix("a", DIM, DIM),
      b: await matrix("b", DIM, DIM),
      qkv: await matrix("qkv", QKV_WIDTH, DIM),
      table: await matrix("table", 7, DIM),
    },
    inputs: {
      weight: tensor("weight", normals(DIM)),
      bias: tensor("bias", normals(DIM)),
      headNorm: tensor("headNorm", normals(HEAD_DIM)),
      positionTable: tensor("positionTable", normals(9 * DIM)),
      x: tensor("x", normals(ROWS * DIM)),
      rotation: tensor("rotation", Float32Array.from(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]))),
      tokens: tensor("tokens", Uint32Array.of(3, 0, 6)),
      positions: tensor("positions", Uint32Array.of(2, 8, 5)),
      slots: tensor("slots", Uint32Array.of(4, 1, 2)),
      ranges: tensor("ranges", Uint32Array.from([0, 1, 2].flatMap((row) => [0, row + 1, row, 0]))),
      entries: tensor("entries", Uint32Array.from([4, 1, 2].flatMap((slot, key) => [slot, key, 0, 0]))),
    },
    results: {
      first: tensor("first", new Float32Array(ROWS * DIM)),
      second: tensor("second", new Float32Array(ROWS * DIM)),
      qkv: tensor("qkv", new Float32Array(ROWS * QKV_WIDTH)),
      cache: tensor("cache", new Float32Array(SLOTS * 2 * KV_HEADS * HEAD_DIM)),
      sums: tensor("sums", new Float32Array(ROWS * KEYS)),
    },
  };
}

/** A tap on all of a tensor. */
export function addTap(draft: Draft, tensor: DraftTensor, isEdited: boolean): void {
  const name = `tap ${draft.entries.length}`;
  const place = { offset: 0, width: DIM, stride: DIM, shape: [DIM], isPattern: false, isDouble: false };
  draft.addTap({ name, tensor, isEdited, ...place });
}

/** The kernels of the calls, and the taps and stages between them. */
export function outlineOf(entries: readonly DraftEntry[]): string {
  const words = entries.map((entry) => {
    if (entry.kind === "call") return entry.call.kernel.name;
    return entry.kind === "tap" ? (entry.tap.isEdited ? "edit" : "tap") : entry.stage;
  });
  return words.join(" ");
}

/**
 * Replays a draft twice from its beginning, and from each stage once more: what its taps read, in order, and the results at the end.
 * An edited tap halves the numbers and adds a quarter.
 */
export async function replay({ device, results }: Bench, entries: readonly DraftEntry[]): Promise<number[][]> {
  const made: Tensor[] = [];
  const { program, taps, stages } = assemble("draft", entries, ({ name, unit, width }: Declared) => {
    const length = width * (unit === "rows" ? ROWS : ROWS * KEYS);
    const tensor = device.createTensor(name, "f32", length, "activations");
    made.push(tensor);
    return tensor;
  });
  const tapEntries = entries.flatMap((entry, place) => (entry.kind === "tap" ? [{ place, ...entry.tap }] : []));
  const begins = entries.flatMap((entry, place) =>
    entry.kind === "stage" ? [{ place, at: stages.get(entry.stage)! }] : [],
  );
  const random = seededRandom(5);
  for (const tensor of Object.values(results)) {
    device.write({ tensor, data: Float32Array.from({ length: tensor.length }, () => random.normal()) });
  }
  const executable = await device.prepare(program);
  const seen: number[][] = [];
  for (const begin of [{ place: 0, at: 0 }, { place: 0, at: 0 }, ...begins]) {
    let { at } = begin;
    for (const [i, { place, isEdited }] of tapEntries.entries()) {
      if (place < begin.place) continue;
      const { after, tensor } = taps[i]!;
      const reads = [{ tensor, begin: 0, end: tensor.length }];
      const [data] = await device.run(executable, { variables: STEP, begin: at, end: after, reads });
      at = after;
      seen.push([...data!]);
      if (isEdited) device.write({ tensor, data: Float32Array.from(data!, (value) => value / 2 + 0.25) });
    }
    const reads = Object.values(results).map((tensor) => ({ tensor, begin: 0, end: tensor.length }));
    const last = await device.run(executable, { variables: STEP, begin: at, end: program.calls.length, reads });
    seen.push(...last.map((data) => [...data]));
  }
  for (const tensor of made) device.destroy(tensor);
  return seen;
}

/** The calls that drafts are made of, over the tensors of a bench. */
export function callsOn({ matrices, inputs, results }: Bench, draft: Draft) {
  const rows = variable("rows");
  const columns = variable("columns");
  const heads = { rows, heads: HEADS, kvHeads: KV_HEADS, headDim: HEAD_DIM };
  const stored = { ...heads, list: 0, slotCount: SLOTS };
  const keyed = { ...stored, entryCount: KEYS };
  const keys = { cache: results.cache, ranges: inputs.ranges, entries: inputs.entries, sourceCache: undefined };
  const rope = { rotaryDims: HEAD_DIM, interleaved: 0, epsilon: 1e-3 };
  const flat = { rows, dim: DIM };
  const size = { inputs: DIM, outputBegin: 0, activation: 0, softcap: 0 };
  return {
    linear(x: DraftTensor, y: DraftTensor, matrix: "a" | "b" = "a", more: LinearMore = {}) {
      const { softcap = 0, activation = 0, residual, hasBias = false } = more;
      const buffers = { x, weight: matrices[matrix], bias: hasBias ? inputs.bias : undefined, residual, y };
      draft.call(linear, "linear", buffers, { rows, ...size, outputs: DIM, outputStride: DIM, activation, softcap });
    },
    linearQkv(x: DraftTensor, y: DraftTensor) {
      const buffers = { x, weight: matrices.qkv, bias: undefined, residual: undefined, y };
      draft.call(linear, "qkv", buffers, { rows, ...size, outputs: QKV_WIDTH, outputStride: QKV_WIDTH });
    },
    /** only the first three columns of y */
    linearPiece(x: DraftTensor, y: DraftTensor) {
      const buffers = { x, weight: matrices.a, bias: undefined, residual: undefined, y };
      draft.call(linear, "piece", buffers, { rows, ...size, outputs: DIM - 1, outputStride: DIM });
    },
    activate(x: DraftTensor, y: DraftTensor, up?: DraftTensor) {
      draft.call(activate, "activate", { x, up, y }, { ...flat, activation: ACTIVATIONS.silu });
    },
    add(a: DraftTensor, b: DraftTensor, y: DraftTensor) {
      draft.call(add, "add", { a, b, y }, flat);
    },
    normalize(x: DraftTensor, y: DraftTensor, centered: 0 | 1) {
      draft.call(normalize, "normalize", { x, y }, { ...flat, epsilon: 1e-3, centered });
    },
    scaleShift(x: DraftTensor, y: DraftTensor, hasBias: boolean, weightOffset = 0) {
      const buffers = { x, weight: inputs.weight, bias: hasBias ? inputs.bias : undefined, y };
      draft.call(scaleShift, "norm", buffers, { ...flat, weightOffset });
    },
    rmsNorm(x: DraftTensor, y: DraftTensor, residual?: DraftTensor) {
      const buffers = { x, weight: inputs.weight, residual, y };
      draft.call(rmsNorm, "rms", buffers, { ...flat, epsilon: 1e-3, weightOffset: 0 });
    },
    embed(y: DraftTensor) {
      const { tokens, positions } = inputs;
      const buffers = { tokens, positions, table: matrices.table, positionTable: undefined, vectors: undefined, y };
      const range = { vocabSize: 7, tableBegin: 0, tableEnd: 7, contextLength: 0, vectorCount: 0 };
      draft.call(embed, "embed", buffers, { ...flat, ...range, scale: 1.5 });
    },
    selectPositions(y: DraftTensor) {
      const buffers = { x: inputs.positionTable, indices: inputs.positions, y };
      draft.call(selectRows, "positions", buffers, { ...flat, sourceRows: 9 });
    },
    rotate(qkv: DraftTensor, y: DraftTensor, hasNorm: boolean) {
      const norm = hasNorm ? inputs.headNorm : undefined;
      draft.call(
        rotate,
        "rotate",
        { qkv, rotation: inputs.rotation, qNorm: norm, kNorm: norm, y },
        { ...heads, ...rope },
      );
    },
    store(qkv: DraftTensor, q: DraftTensor, hasRotation = false) {
      const rotation = hasRotation ? inputs.rotation : undefined;
      const buffers = {
        qkv,
        rotation,
        slots: inputs.slots,
        qNorm: undefined,
        kNorm: undefined,
        q,
        cache: results.cache,
      };
      draft.call(rotateStore, "store", buffers, { ...stored, ...rope, rotaryDims: hasRotation ? HEAD_DIM : 0 });
    },
    pattern(q: DraftTensor, pattern: DraftTensor, kind: "scores" | "pattern") {
      const scaling = { scale: 0.7, softcap: 0, ...DENSE, columns, sourceColumns: 0, kind: PATTERN_KINDS[kind] };
      draft.call(attendPattern, kind, { q, ...keys, headBiases: undefined, pattern }, { ...keyed, ...scaling });
    },
    softmax(x: DraftTensor, y: DraftTensor, lines: Value = variable("softmaxRows")) {
      draft.call(softmax, "softmax", { x, y }, { rows: lines, columns });
    },
    attendWithPattern(pattern: DraftTensor, z: DraftTensor) {
      draft.call(attendWithPattern, "z", { pattern, ...keys, z }, { ...keyed, columns, sourceColumns: 0 });
    },
    sumHeads(pattern: DraftTensor) {
      draft.call(sumHeads, "sums", { pattern, y: results.sums }, { rows, heads: HEADS, columns, stride: columns });
    },
  };
}

interface LinearMore {
  readonly softcap?: number;
  readonly activation?: number;
  readonly residual?: DraftTensor;
  readonly hasBias?: boolean;
}

/** A draft with the calls to make it of, tensors x [rows, DIM], w [rows, QKV_WIDTH], p [rows, HEADS, columns], and those of the device. */
export function openDraft(bench: Bench) {
  const draft = new Draft();
  const { first, second, qkv, cache, sums } = bench.results;
  const x = (i: number) => draft.declare(`x${i}`, "rows", DIM);
  const w = (i: number) => draft.declare(`w${i}`, "rows", QKV_WIDTH);
  const p = (i: number) => draft.declare(`p${i}`, "patternCells", HEADS);
  return { ...callsOn(bench, draft), draft, first, second, qkv, cache, sums, input: bench.inputs.x, x, w, p };
}
export type OpenDraft = ReturnType<typeof openDraft>;

/** Fuses a draft and holds its numbers against the open one's, to the rounding of sums in another order. */
export async function fuseAndCompare(bench: Bench, entries: readonly DraftEntry[]): Promise<readonly DraftEntry[]> {
  const fused = fuse(entries, EXAMPLE);
  const [want, got] = [await replay(bench, entries), await replay(bench, fused)];
  expect(got.map(({ length }) => length)).toEqual(want.map(({ length }) => length));
  for (const [i, numbers] of want.entries()) {
    const isFar = (value: number, place: number) => {
      const other = got[i]![place]!;
      return !Object.is(value, other) && !(Math.abs(value - other) <= 1e-5 + 1e-5 * Math.abs(value));
    };
    if (numbers.some(isFar)) expect([outlineOf(fused), got[i]]).toEqual([outlineOf(entries), numbers]);
  }
  return fused;
}

/** Appends to a draft. */
export type Part = (opened: OpenDraft) => void;

/** A draft of these parts; x(5) is read at its end. */
export function draftOf(bench: Bench, ...parts: readonly Part[]): DraftEntry[] {
  const opened = openDraft(bench);
  for (const part of parts) part(opened);
  addTap(opened.draft, opened.x(5), false);
  return opened.draft.entries;
}
