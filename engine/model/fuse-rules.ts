// The rules of fusing: what a call and the calls that made its inputs, its producers, become together. A rule only compares calls;
// whether tensors are unchanged in between, and whether producers can go, is fuse.ts's business.

import {
  ACTIVATIONS,
  activate,
  add,
  attend,
  attendPattern,
  attendWithPattern,
  embed,
  gatedLinear,
  layerNorm,
  linear,
  normalize,
  PATTERN_KINDS,
  rmsNorm,
  rotate,
  rotateStore,
  scaleShift,
  selectRows,
  softmax,
} from "../../kernels/index.ts";
import type { Value } from "../devices/program.ts";
import { isDeclared, type DraftBuffer, type DraftCall } from "./draft.ts";

/** The calls that made what another call reads. */
export interface Producers {
  /** the call that made all of this buffer of `call`, if no stage and no edit lies between */
  of(call: DraftCall, buffer: string): DraftCall | undefined;
  /** the same, if nothing else reads the buffer */
  only(call: DraftCall, buffer: string): DraftCall | undefined;
}

/** A call that computes what another one did, from what its producers read. */
export interface Rewritten {
  readonly call: DraftCall;
  readonly producers: readonly DraftCall[];
}

/** Rewrites a call, or leaves it. */
export type Rule = (call: DraftCall, producers: Producers) => Rewritten | undefined;

function isSame(a: Value | undefined, b: Value | undefined): boolean {
  if (typeof a === "object" && typeof b === "object") return a.variable === b.variable;
  return a === b;
}

/** Whether two calls have the same values for these parameters; [of a, of b] where they are called differently. */
function agree(a: DraftCall, b: DraftCall, ...names: readonly (string | readonly [string, string])[]): boolean {
  return names.every((name) => {
    const [ofA, ofB] = typeof name === "string" ? [name, name] : name;
    return isSame(a.params[ofA], b.params[ofB]);
  });
}

/** Whether a linear ends with the sum and the bias. */
function isBare({ kernel, buffers, params }: DraftCall): boolean {
  return (
    kernel === linear && !buffers["residual"] && params["activation"] === ACTIVATIONS.none && params["softcap"] === 0
  );
}

function formatOf(buffer: DraftBuffer | undefined) {
  return buffer && !isDeclared(buffer) && "format" in buffer ? buffer.format : undefined;
}

/** linear, activate -> linear with an activation */
export const linearWithActivation: Rule = (call, producers) => {
  if (call.kernel !== activate || call.buffers["up"]) return undefined;
  const sum = producers.only(call, "x");
  if (!sum || !isBare(sum) || !agree(sum, call, "rows")) return undefined;
  const params = { ...sum.params, activation: call.params["activation"]! };
  const buffers = { ...sum.buffers, y: call.buffers["y"] };
  return { call: { kernel: linear, label: call.label, buffers, params }, producers: [sum] };
};

/** linear of the gate, linear, activate with both -> gated-linear */
export const gatedLinearOfTwo: Rule = (call, producers) => {
  if (call.kernel !== activate || !call.buffers["up"]) return undefined;
  const [gate, up] = [producers.only(call, "x"), producers.only(call, "up")];
  if (!gate || !up || !isBare(gate) || !isBare(up) || gate.buffers["x"] !== up.buffers["x"]) return undefined;
  if (!agree(gate, up, "rows", "inputs", "outputs", "outputBegin", "outputStride")) return undefined;
  if (!agree(gate, call, "rows") || formatOf(gate.buffers["weight"]) !== formatOf(up.buffers["weight"]))
    return undefined;
  const { softcap: _softcap, ...shape } = gate.params;
  const params = { ...shape, activation: call.params["activation"]! };
  const buffers = {
    x: gate.buffers["x"],
    gate: gate.buffers["weight"],
    up: up.buffers["weight"],
    gateBias: gate.buffers["bias"],
    upBias: up.buffers["bias"],
    y: call.buffers["y"],
  };
  return { call: { kernel: gatedLinear, label: call.label, buffers, params }, producers: [gate, up] };
};

/** The summands of an add, as [the one that a producer made, the other]. */
const SUMMANDS = [
  ["b", "a"],
  ["a", "b"],
] as const;

/** linear, add -> linear with a residual */
export const linearWithResidual: Rule = (call, producers) => {
  if (call.kernel !== add) return undefined;
  for (const [own, other] of SUMMANDS) {
    const sum = producers.only(call, own);
    if (sum?.kernel !== linear || sum.buffers["residual"] || !agree(sum, call, "rows", ["outputs", "dim"])) continue;
    const buffers = { ...sum.buffers, residual: call.buffers[other], y: call.buffers["y"] };
    return { call: { ...sum, buffers }, producers: [sum] };
  }
  return undefined;
};

/** rms-norm, add -> rms-norm with a residual */
export const normWithResidual: Rule = (call, producers) => {
  if (call.kernel !== add) return undefined;
  for (const [own, other] of SUMMANDS) {
    const norm = producers.only(call, own);
    if (norm?.kernel !== rmsNorm || norm.buffers["residual"] || !agree(norm, call, "rows", "dim")) continue;
    const buffers = { ...norm.buffers, residual: call.buffers[other], y: call.buffers["y"] };
    return { call: { ...norm, buffers }, producers: [norm] };
  }
  return undefined;
};

/** embed, select-rows of learned positions, add -> embed with positions */
export const embedWithPositions: Rule = (call, producers) => {
  if (call.kernel !== add) return undefined;
  for (const [own, other] of SUMMANDS) {
    const [words, places] = [producers.only(call, own), producers.only(call, other)];
    if (words?.kernel !== embed || places?.kernel !== selectRows || words.buffers["positionTable"]) continue;
    if (!agree(words, call, "rows", "dim") || !agree(places, call, "rows", "dim")) continue;
    if (places.buffers["indices"] !== words.buffers["positions"]) continue;
    const buffers = { ...words.buffers, positionTable: places.buffers["x"], y: call.buffers["y"] };
    const params = { ...words.params, contextLength: places.params["sourceRows"]! };
    return { call: { ...words, buffers, params }, producers: [words, places] };
  }
  return undefined;
};

/** normalize, scale-shift -> rms-norm or layer-norm */
export const wholeNorm: Rule = (call, producers) => {
  if (call.kernel !== scaleShift) return undefined;
  const scaled = producers.only(call, "x");
  if (scaled?.kernel !== normalize || !agree(scaled, call, "rows", "dim")) return undefined;
  const { weight, bias, y } = call.buffers;
  const { rows, dim, epsilon, centered } = scaled.params;
  const x = scaled.buffers["x"];
  const shape = { rows: rows!, dim: dim!, epsilon: epsilon! };
  const { weightOffset } = call.params;
  if (centered === 0 && !bias) {
    const buffers = { x, weight, residual: undefined, y };
    const params = { ...shape, weightOffset: weightOffset! };
    return { call: { kernel: rmsNorm, label: call.label, buffers, params }, producers: [scaled] };
  }
  if (centered !== 1 || weightOffset !== 0) return undefined;
  const buffers = { x, weight, bias, y };
  return { call: { kernel: layerNorm, label: call.label, buffers, params: shape }, producers: [scaled] };
};

/** rotate, rotate-store that only stores -> rotate-store */
export const rotateAndStore: Rule = (call, producers) => {
  const { rotation, qNorm, kNorm } = call.buffers;
  if (call.kernel !== rotateStore || rotation || qNorm || kNorm) return undefined;
  const turned = producers.only(call, "qkv");
  if (turned?.kernel !== rotate || !agree(turned, call, "rows", "heads", "kvHeads", "headDim")) return undefined;
  const { y: _y, ...inputs } = turned.buffers;
  const { rotaryDims, interleaved, epsilon } = turned.params;
  return {
    call: {
      kernel: rotateStore,
      label: turned.label,
      buffers: { ...call.buffers, ...inputs },
      params: { ...call.params, rotaryDims: rotaryDims!, interleaved: interleaved!, epsilon: epsilon! },
    },
    producers: [turned],
  };
};

/** attend-pattern of scores, softmax -> attend-pattern of weights */
export const patternAtOnce: Rule = (call, producers) => {
  if (call.kernel !== softmax) return undefined;
  const scores = producers.only(call, "x");
  if (scores?.kernel !== attendPattern || scores.params["kind"] !== PATTERN_KINDS.scores) return undefined;
  const buffers = { ...scores.buffers, pattern: call.buffers["y"] };
  const params = { ...scores.params, kind: PATTERN_KINDS.pattern };
  return { call: { kernel: attendPattern, label: call.label, buffers, params }, producers: [scores] };
};

/** attend-pattern, (softmax,) attend-with-pattern -> attend, whether or not the pattern is read elsewhere, too */
export const attendOnline: Rule = (call, producers) => {
  if (call.kernel !== attendWithPattern) return undefined;
  const weights = producers.of(call, "pattern");
  if (!weights) return undefined;
  const isSoftmax = weights.kernel === softmax;
  const source = isSoftmax ? producers.of(weights, "x") : weights;
  if (source?.kernel !== attendPattern) return undefined;
  const wanted = isSoftmax ? PATTERN_KINDS.scores : PATTERN_KINDS.pattern;
  const { pattern: _pattern, ...keys } = source.buffers;
  const { columns: _columns, sourceColumns: _sourceColumns, kind, ...params } = source.params;
  if (kind !== wanted || !agree(source, call, "rows", "heads", "kvHeads", "headDim", "list", "columns"))
    return undefined;
  const isOfSameKeys = ["cache", "ranges", "entries", "sourceCache"].every(
    (name) => source.buffers[name] === call.buffers[name],
  );
  if (!isOfSameKeys) return undefined;
  const buffers = { ...keys, z: call.buffers["z"] };
  const made = isSoftmax ? [weights, source] : [source];
  return { call: { kernel: attend, label: call.label, buffers, params }, producers: made };
};

/** All rules; the first that fits a call is taken. */
export const RULES: readonly Rule[] = [
  linearWithActivation,
  gatedLinearOfTwo,
  linearWithResidual,
  normWithResidual,
  embedWithPositions,
  wholeNorm,
  rotateAndStore,
  patternAtOnce,
  attendOnline,
];
