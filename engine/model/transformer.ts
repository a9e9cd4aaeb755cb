// The forward pass, written once: it records a Program of kernel calls that every device replays.
//
//   tokens -> embed -> x [rows, dim]
//   each layer:  x -> norm -> q, k, v -> rotate, store k and v -> attend -> out (+ x)
//                  -> norm -> feed-forward (+ x)                   (parallel families add both parts to the same x)
//   rows whose logits are wanted -> norm -> head -> logits [outputs, vocabSize] -> argmax, log-probabilities
//
// `fused` records as few calls as it can. `open` records every named tap as a tensor of its own (see taps.ts) and can route
// attention through an edited pattern. Both compute the same numbers.

import {
  ACTIVATIONS,
  activate,
  add,
  argmax,
  attend,
  attendPattern,
  attendWithPattern,
  embed,
  gatedLinear,
  layerNorm,
  linear,
  PATTERN_KINDS,
  rmsNorm,
  rotateStore,
  selectRows,
  keyNorm,
  softmax,
  sumHeads,
  tokenLogProb,
} from "../../kernels/index.ts";
import type { ModelConfig } from "../../loaders/index.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Tensor } from "../devices/device.ts";
import { ProgramBuilder, variable, type Program } from "../devices/program.ts";
import type { Activations } from "./activations.ts";
import { families } from "./families/index.ts";
import { recordLargest } from "./largest.ts";
import type { Look, Tap } from "./taps.ts";
import type { LayerWeights, LinearWeights, ModelWeights, NormWeights } from "./weights.ts";

/** What the forward pass is recorded from. */
export interface TransformerParts {
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
  readonly store: CacheStore;
  readonly activations: Activations;
}

/** What a recording does beside the forward pass. */
export interface RecordOptions {
  /** taps, for looking inside */
  readonly look?: Look;
  /** layers whose attention, summed over heads, is left in `activations.attentionSums(layer)` */
  readonly weighedLayers?: readonly number[];
  /** the norms of new keys are left in `activations.keyNorms(layer)` */
  readonly wantsKeyNorms?: boolean;
  /** ends with the largest logits, to sample from, in place of the one largest and log-probabilities */
  readonly wantsLargest?: boolean;
}

/** A recorded forward pass. The marks count calls: replay up to one of them to stop there. */
export interface Recording {
  readonly program: Program;
  readonly taps: readonly Tap[];
  /** keys and values are stored */
  readonly body: number;
  /** logits are there */
  readonly logits: number;
  /** the largest logit's token is in `best` */
  readonly greedy: number;
  /** the targets' log-probabilities are in `logProbs` */
  readonly scored: number;
  /** the largest logits are there (see largest.ts) */
  readonly largest: number;
}

const rows = variable("rows");
const outputs = variable("outputs");
const entryCount = variable("entryCount");
const columns = variable("columns");
/** The visibility rule is the step's, but for the layers' own windows. */
const rule = {
  keepWindow: variable("keepWindow"),
  sinks: variable("sinks"),
  segmented: variable("segmented"),
  keepRecent: variable("keepRecent"),
  anchorSeesAnchors: variable("anchorSeesAnchors"),
};

/** Records the forward pass; with `look`, the open one. */
export function recordForward(parts: TransformerParts, options: RecordOptions = {}): Recording {
  return new ForwardRecorder(parts, options).record();
}

class ForwardRecorder {
  readonly #config: ModelConfig;
  readonly #weights: ModelWeights;
  readonly #store: CacheStore;
  readonly #activations: Activations;
  readonly #look: Look | undefined;
  readonly #weighed: ReadonlySet<number>;
  readonly #wantsKeyNorms: boolean;
  readonly #wantsLargest: boolean;
  readonly #family;
  readonly #builder: ProgramBuilder;
  readonly #taps: Tap[] = [];

  constructor({ config, weights, store, activations }: TransformerParts, options: RecordOptions) {
    const { look, weighedLayers = [], wantsKeyNorms = false, wantsLargest = false } = options;
    this.#config = config;
    this.#weights = weights;
    this.#store = store;
    this.#activations = activations;
    this.#look = look;
    this.#weighed = new Set(weighedLayers);
    this.#wantsKeyNorms = wantsKeyNorms;
    this.#wantsLargest = wantsLargest;
    this.#family = families[config.modelType];
    this.#builder = new ProgramBuilder(look ? "forward, open" : "forward");
  }

  record(): Recording {
    let x = this.#embed();
    for (const [i, layer] of this.#weights.layers.entries()) x = this.#layer(i, layer, x);
    const marks = this.#finish(x);
    return { program: this.#builder.build(), taps: this.#taps, ...marks };
  }

  /** [rows, dim] */
  #embed(): Tensor {
    const { dim, vocabSize, contextLength } = this.#config;
    const { tokens, positions, vectors } = this.#activations.ports;
    const { embedding, positions: table } = this.#weights;
    const call = (y: Tensor, positionTable: Tensor | undefined) =>
      this.#builder.call(
        embed,
        "embed",
        { tokens, positions, table: embedding, positionTable, vectors, y },
        {
          rows,
          dim,
          vocabSize,
          tableBegin: 0,
          tableEnd: vocabSize,
          contextLength: positionTable ? contextLength : 0,
          vectorCount: variable("vectorCount"),
          scale: this.#family.embeddingScale(this.#config),
        },
      );
    if (!this.#look || !table) {
      const x = this.#rows("x.a", dim);
      call(x, table);
      this.#tap("hook_embed", x, [dim]);
      return x;
    }
    const words = this.#rows("embedded", dim);
    const places = this.#rows("places", dim);
    const x = this.#rows("x.a", dim);
    call(words, undefined);
    this.#tap("hook_embed", words, [dim]);
    const gather = { x: table, indices: positions, y: places };
    this.#builder.call(selectRows, "positions", gather, { rows, dim, sourceRows: contextLength });
    this.#tap("hook_pos_embed", places, [dim]);
    this.#add("embed", words, places, x);
    return x;
  }

  /** One layer: from its input [rows, dim] to its output in the other of the two residual tensors. */
  #layer(i: number, layer: LayerWeights, x: Tensor): Tensor {
    const { dim } = this.#config;
    const isParallel = this.#config.parallelResidual;
    const at = `blocks.${i}`;
    this.#tap(`${at}.hook_resid_pre`, x, [dim]);
    const h = this.#norm(`${at}.ln1`, layer.attentionNorm, x, this.#rows("normed", dim));
    this.#tap(`${at}.ln1.hook_normalized`, h, [dim]);
    const z = this.#attention(i, layer, h);
    const mid = this.#project(
      { label: `${at}.attn.out`, tap: `${at}.hook_attn_out`, part: "attention" },
      layer.out,
      layer.postAttentionNorm,
      z,
      x,
      this.#rows("x.b", dim),
    );
    if (!isParallel) this.#tap(`${at}.hook_resid_mid`, mid, [dim]);
    let g = h;
    if (layer.mlpNorm) {
      const source = isParallel ? x : mid;
      g = this.#norm(`${at}.ln2`, layer.mlpNorm, source, this.#rows("normed", dim));
      this.#tap(`${at}.ln2.hook_normalized`, g, [dim]);
    }
    const inner = this.#feedForward(at, layer, g);
    const y = this.#project(
      { label: `${at}.mlp.down`, tap: `${at}.hook_mlp_out`, part: "mlp" },
      layer.down,
      layer.postMlpNorm,
      inner,
      mid,
      this.#rows("x.a", dim),
    );
    this.#tap(`${at}.hook_resid_post`, y, [dim]);
    return y;
  }

  /** z [rows, heads, headDim] */
  #attention(i: number, layer: LayerWeights, h: Tensor): Tensor {
    const { heads, kvHeads, headDim, rotary, normEpsilon, windows, attentionScales, attentionSoftcap, anchors } =
      this.#config;
    const { rotation, slots, ranges } = this.#activations.ports;
    const { entries, caches } = this.#store;
    const at = `blocks.${i}.attn`;
    const cache = caches[i]!;
    const list = this.#store.isPerLayer ? i : 0;
    const slotCount = variable(`slotCount.${list}`);
    const width = (heads + 2 * kvHeads) * headDim;

    const qkv = this.#rows("qkv", width);
    this.#linear(`${at}.qkv`, layer.qkv, h, undefined, qkv);
    const slice = (name: string, begin: number, count: number) =>
      this.#tap(`${at}.${name}`, qkv, [count, headDim], { offset: begin * headDim, stride: width });
    slice("hook_q", 0, heads);
    slice("hook_k", heads, kvHeads);
    slice("hook_v", heads + kvHeads, kvHeads);

    const q = this.#rows("q", heads * headDim);
    this.#builder.call(
      rotateStore,
      `${at}.rotate`,
      { qkv, rotation, slots, qNorm: layer.qNorm, kNorm: layer.kNorm, q, cache },
      {
        rows,
        heads,
        kvHeads,
        headDim,
        rotaryDims: rotary?.dims ?? 0,
        interleaved: Number(this.#family.isInterleaved),
        list,
        slotCount,
        epsilon: normEpsilon,
      },
    );

    const source = anchors?.layerMap.get(i);
    const sourceCache = source === undefined ? undefined : caches[source]!;
    const keys = { q, cache, ranges, entries, sourceCache, headBiases: layer.headParams };
    if (this.#wantsKeyNorms) {
      const y = this.#activations.keyNorms(i);
      this.#builder.call(keyNorm, `${at}.norms`, { cache, slots, y }, { rows, kvHeads, headDim, list, slotCount });
    }
    const shape = { rows, heads, kvHeads, headDim, list, slotCount, entryCount };
    const params = {
      ...shape,
      scale: attentionScales[i]!,
      softcap: attentionSoftcap ?? 0,
      window: windows[i]!,
      ...rule,
    };
    const z = this.#rows("z", heads * headDim);
    const scoresName = `${at}.hook_attn_scores`;
    const patternName = `${at}.hook_pattern`;
    const editsScores = this.#look?.edits(scoresName) ?? false;
    const editsPattern = this.#look?.edits(patternName) ?? false;
    const wide = { columns, sourceColumns: sourceCache ? columns : 0 };
    const wantsScores = editsScores || this.#look?.wants(scoresName);
    const weighs = this.#weighed.has(i);
    const wantsPattern = editsPattern || editsScores || weighs || this.#look?.wants(patternName);
    if (wantsScores) {
      const scores = this.#activations.pattern("scores", sourceCache !== undefined);
      const kind = PATTERN_KINDS.scores;
      this.#builder.call(attendPattern, scoresName, { ...keys, pattern: scores }, { ...params, ...wide, kind });
      this.#tap(scoresName, scores, [heads], { isPattern: true, isDouble: sourceCache !== undefined });
    }
    if (wantsPattern) {
      const pattern = this.#activations.pattern("pattern", sourceCache !== undefined);
      if (editsScores) {
        const x = this.#activations.pattern("scores", sourceCache !== undefined);
        const lines = { rows: variable("softmaxRows"), columns: sourceCache ? variable("doubleColumns") : columns };
        this.#builder.call(softmax, patternName, { x, y: pattern }, lines);
      } else {
        const kind = PATTERN_KINDS.pattern;
        this.#builder.call(attendPattern, patternName, { ...keys, pattern }, { ...params, ...wide, kind });
      }
      this.#tap(patternName, pattern, [heads], { isPattern: true, isDouble: sourceCache !== undefined });
      if (weighs) {
        const y = this.#activations.attentionSums(i);
        const stride = sourceCache ? variable("doubleColumns") : columns;
        this.#builder.call(sumHeads, `${at}.weights`, { pattern, y }, { rows, heads, columns, stride });
      }
      if (editsScores || editsPattern) {
        const buffers = { pattern, cache, ranges, entries, sourceCache, z };
        this.#builder.call(attendWithPattern, `${at}.z`, buffers, { ...shape, ...wide });
      }
    }
    if (!editsScores && !editsPattern) this.#builder.call(attend, `${at}.z`, { ...keys, z }, params);
    this.#tap(`${at}.hook_z`, z, [heads, headDim]);
    return z;
  }

  /** The inside of the feed-forward part [rows, hiddenDim]. */
  #feedForward(at: string, layer: LayerWeights, h: Tensor): Tensor {
    const { dim, hiddenDim, activation: name } = this.#config;
    const activation = ACTIVATIONS[name];
    const inner = this.#rows("inner", hiddenDim);
    if (this.#look) {
      const pre = this.#rows("inner.pre", hiddenDim);
      const up = layer.gate ? this.#rows("inner.up", hiddenDim) : undefined;
      this.#linear(`${at}.mlp.pre`, layer.gate ?? layer.up, h, undefined, pre);
      this.#tap(`${at}.mlp.hook_pre`, pre, [hiddenDim]);
      if (up) {
        this.#linear(`${at}.mlp.up`, layer.up, h, undefined, up);
        this.#tap(`${at}.mlp.hook_pre_linear`, up, [hiddenDim]);
      }
      this.#builder.call(activate, `${at}.mlp.post`, { x: pre, up, y: inner }, { rows, dim: hiddenDim, activation });
    } else if (layer.gate) {
      const { gate, up } = layer;
      this.#builder.call(
        gatedLinear,
        `${at}.mlp.inner`,
        { x: h, gate: gate.weight, up: up.weight, gateBias: gate.bias, upBias: up.bias, y: inner },
        { rows, inputs: dim, outputs: hiddenDim, outputBegin: 0, outputStride: hiddenDim, activation },
      );
    } else {
      this.#linear(`${at}.mlp.inner`, layer.up, h, undefined, inner, activation);
    }
    this.#tap(`${at}.mlp.hook_post`, inner, [hiddenDim]);
    return inner;
  }

  /** residual + postNorm(x · weightᵀ + bias) -> y, in as few calls as the taps allow. */
  #project(
    { label, tap, part }: { label: string; tap: string; part: string },
    weights: LinearWeights,
    postNorm: NormWeights | undefined,
    x: Tensor,
    residual: Tensor,
    y: Tensor,
  ): Tensor {
    const { dim } = this.#config;
    if (!this.#look && !postNorm) {
      this.#linear(label, weights, x, residual, y);
      return y;
    }
    let out = this.#rows(`${part}.out`, dim);
    this.#linear(label, weights, x, undefined, out);
    if (postNorm && !this.#look) return this.#norm(`${label}.norm`, postNorm, out, y, residual);
    if (postNorm) out = this.#norm(`${label}.norm`, postNorm, out, this.#rows(`${part}.out.normed`, dim));
    this.#tap(tap, out, [dim]);
    this.#add(label, residual, out, y);
    return y;
  }

  /** From the last residual to logits, for the rows in `outputRows`. */
  #finish(x: Tensor): Omit<Recording, "program" | "taps"> {
    const { dim, vocabSize, logitSoftcap } = this.#config;
    const { outputRows, targets, best, logProbs } = this.#activations.ports;
    const body = this.#builder.calls.length;
    const selected = this.#activations.outputs("selected", dim);
    const normed = this.#activations.outputs("selected.normed", dim);
    const logits = this.#activations.outputs("logits", vocabSize);
    const select = { rows: outputs, dim, sourceRows: rows };
    this.#builder.call(selectRows, "ln_final.select", { x, indices: outputRows, y: selected }, select);
    this.#norm("ln_final", this.#weights.finalNorm, selected, normed, undefined, outputs);
    this.#tap("ln_final.hook_normalized", normed, [dim]);
    const { head } = this.#weights;
    this.#linear("head", head, normed, undefined, logits, ACTIVATIONS.none, logitSoftcap ?? 0, outputs);
    const atLogits = this.#builder.calls.length;
    const marks = { body, logits: atLogits };
    if (this.#wantsLargest) {
      recordLargest(this.#builder, this.#activations, logits, vocabSize);
      return { ...marks, greedy: atLogits, scored: atLogits, largest: this.#builder.calls.length };
    }
    const list = { rows: outputs, columns: vocabSize };
    this.#builder.call(argmax, "head.best", { x: logits, best }, list);
    const greedy = this.#builder.calls.length;
    this.#builder.call(tokenLogProb, "head.logProbs", { logits, targets, y: logProbs }, list);
    return { ...marks, greedy, scored: this.#builder.calls.length, largest: atLogits };
  }

  #norm(label: string, norm: NormWeights, x: Tensor, y: Tensor, residual?: Tensor, count = rows): Tensor {
    const { dim, normEpsilon: epsilon } = this.#config;
    if (this.#family.norm === "rms") {
      const params = { rows: count, dim, epsilon, weightOffset: this.#family.normWeightOffset };
      this.#builder.call(rmsNorm, label, { x, weight: norm.weight, residual, y }, params);
    } else {
      const buffers = { x, weight: norm.weight, bias: norm.bias, y };
      this.#builder.call(layerNorm, label, buffers, { rows: count, dim, epsilon });
    }
    return y;
  }

  #linear(
    label: string,
    { weight, bias }: LinearWeights,
    x: Tensor,
    residual: Tensor | undefined,
    y: Tensor,
    activation: number = ACTIVATIONS.none,
    softcap = 0,
    count = rows,
  ): void {
    const { rows: outputCount, columns: inputs } = weight;
    this.#builder.call(
      linear,
      label,
      { x, weight, bias, residual, y },
      {
        rows: count,
        inputs,
        outputs: outputCount,
        outputBegin: 0,
        outputStride: outputCount,
        activation,
        softcap,
      },
    );
  }

  #add(label: string, a: Tensor, b: Tensor, y: Tensor): void {
    this.#builder.call(add, `${label}.add`, { a, b, y }, { rows, dim: this.#config.dim });
  }

  #rows(name: string, width: number): Tensor {
    return this.#activations.rows(name, width);
  }

  #tap(
    name: string,
    tensor: Tensor,
    shape: readonly number[],
    place: { offset?: number; stride?: number; isPattern?: boolean; isDouble?: boolean } = {},
  ): void {
    if (!this.#look) return;
    const width = shape.reduce((product, size) => product * size, 1);
    const { offset = 0, stride = width, isPattern = false, isDouble = false } = place;
    this.#taps.push({
      name,
      after: this.#builder.calls.length,
      tensor,
      offset,
      width,
      stride,
      shape,
      isPattern,
      isDouble,
    });
  }
}
