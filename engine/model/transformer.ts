// The forward pass, written once, with every named tensor (taps.ts) as a tensor of its own:
//
//   tokens -> embed -> x [rows, dim]
//   each layer:  x -> norm -> q, k, v -> rotate -> store k and v -> scores -> softmax -> weighted sum of values -> out (+ x)
//                  -> norm -> feed-forward (+ x)                    (parallel families add both parts to the same x)
//   rows whose logits are wanted -> norm -> head -> logits [outputs, vocabSize] -> argmax, log-probabilities
//
// This is a draft: recording.ts fuses it into a program with as few calls as the taps that were asked for allow.

import * as kernels from "../../kernels/index.ts";
import { variable } from "../devices/program.ts";
import type { DraftTensor, DraftEntry } from "./draft.ts";
import { families } from "./families/index.ts";
import { topKTensors } from "./top-logits.ts";
import { LayerOps, rows } from "./layer-ops.ts";
import type { RecordOptions, TransformerParts } from "./record-options.ts";
import type { LayerWeights } from "./weights.ts";

const outputs = variable("outputs");
const columns = variable("columns");
/** The visibility rule is the step's, except for the layers' own windows. */
const rule = {
  keepWindow: variable("keepWindow"),
  sinks: variable("sinks"),
  segmented: variable("segmented"),
  keepRecent: variable("keepRecent"),
  anchorSeesAnchors: variable("anchorSeesAnchors"),
};

/** The forward pass, with the taps asked for, call by call. */
export function draftForward(parts: TransformerParts, options: RecordOptions = {}): readonly DraftEntry[] {
  return new ForwardPass(parts, options).record();
}

class ForwardPass {
  readonly #ops: LayerOps;
  readonly #parts: TransformerParts;
  readonly #options: RecordOptions;

  constructor(parts: TransformerParts, options: RecordOptions) {
    this.#ops = new LayerOps(parts.config, options.taps);
    this.#parts = parts;
    this.#options = options;
  }

  record(): readonly DraftEntry[] {
    const { startAtLayer = -1, stopAtLayer = Infinity } = this.#options;
    const ops = this.#ops;
    const { config, weights } = this.#parts;
    let x = startAtLayer < 0 ? this.#embed() : ops.tap("residual.in", ops.rows("x.a", config.dim)); // [rows, dim]
    for (const [i, layer] of weights.layers.entries()) {
      if (i >= startAtLayer && i < stopAtLayer) x = this.#layer(i, layer, x); // [rows, dim]
    }
    if (stopAtLayer < Infinity) ops.tap("residual.out", x);
    this.#ops.stage("body");
    this.#logits(x);
    return this.#ops.entries;
  }

  #embed(): DraftTensor {
    const ops = this.#ops;
    const { config, weights, activations } = this.#parts;
    const { dim, vocabSize, contextLength } = config;
    const { tokens, positions, vectors } = activations.ports;
    const x = ops.rows("x.a", dim); // [rows, dim]
    const words = weights.positions ? ops.rows("embedded", dim) : x; // [rows, dim]
    const scale = families[config.modelType].embeddingScale(config);
    const inputs = { tokens, positions, table: weights.embedding, positionTable: undefined, vectors };
    const range = { vocabSize, tableBegin: 0, tableEnd: vocabSize, vectorCount: variable("vectorCount") };
    ops.call(kernels.embed, "embed", { ...inputs, y: words }, { rows, dim, ...range, contextLength: 0, scale });
    ops.tap("hook_embed", words);
    if (!weights.positions) return x;
    const places = ops.rows("places", dim); // [rows, dim]
    const gather = { x: weights.positions, indices: positions, y: places };
    ops.call(kernels.selectRows, "positions", gather, { rows, dim, sourceRows: contextLength });
    ops.tap("hook_pos_embed", places);
    return ops.add("embed", words, places, x);
  }

  /** One layer: from its input [rows, dim] to its output in the other of the two residual tensors. */
  #layer(i: number, layer: LayerWeights, x: DraftTensor): DraftTensor {
    const ops = this.#ops;
    const { dim, parallelResidual } = this.#parts.config;
    const at = `blocks.${i}`;
    ops.tap(`${at}.hook_resid_pre`, x);
    const h = ops.norm(`${at}.ln1`, layer.attentionNorm, x, ops.rows("normed", dim)); // [rows, dim]
    const z = this.#attention(i, layer, h); // [rows, heads, headDim]
    const attended = ops.linear(`${at}.attn.out`, layer.out, z, ops.rows("attention.out", dim)); // [rows, dim]
    ops.tap(`${at}.attn.hook_result`, attended, { isEdit: true });
    const a = ops.postNorm(`${at}.ln1_post`, layer.postAttentionNorm, attended, "attention.out.normed"); // [rows, dim]
    ops.tap(`${at}.hook_attn_out`, a);
    const mid = ops.add(`${at}.attn`, x, a, ops.rows("x.b", dim)); // [rows, dim]
    if (!parallelResidual) ops.tap(`${at}.hook_resid_mid`, mid);
    const source = parallelResidual ? x : mid;
    const g = layer.mlpNorm ? ops.norm(`${at}.ln2`, layer.mlpNorm, source, ops.rows("normed", dim)) : h; // [rows, dim]
    const inner = this.#feedForward(at, layer, g); // [rows, hiddenDim]
    const down = ops.linear(`${at}.mlp.down`, layer.down, inner, ops.rows("mlp.out", dim)); // [rows, dim]
    const m = ops.postNorm(`${at}.ln2_post`, layer.postMlpNorm, down, "mlp.out.normed"); // [rows, dim]
    ops.tap(`${at}.hook_mlp_out`, m);
    const y = ops.add(`${at}.mlp`, mid, m, ops.rows("x.a", dim)); // [rows, dim]
    ops.tap(`${at}.hook_resid_post`, y);
    return y;
  }

  /** softmax(scale · q kᵀ) v over the keys that a row sees: [rows, heads, headDim] */
  #attention(i: number, layer: LayerWeights, h: DraftTensor): DraftTensor {
    const ops = this.#ops;
    const { config, store, activations } = this.#parts;
    const { heads, headDim, windows, attentionScales, attentionSoftcap, anchors } = config;
    const { slots, ranges } = activations.ports;
    const at = `blocks.${i}.attn`;
    const shape = this.#headShape(i);
    const cache = store.caches[i]!; // [slots, 2, kvHeads, headDim]
    const source = anchors?.layerMap.get(i);
    const sourceCache = source === undefined ? undefined : store.caches[source]!; // [slots, 2, kvHeads, headDim]

    const q = this.#storeKeys(i, layer, h); // [rows, heads, headDim]
    if (this.#options.wantsKeyNorms) {
      const { heads: _heads, ...keys } = shape;
      ops.call(kernels.keyNorm, `${at}.norms`, { cache, slots, y: activations.keyNorms(i) }, keys); // [rows]
    }

    const isDouble = sourceCache !== undefined;
    const keys = { cache, ranges, entries: store.entries, sourceCache };
    const wide = { entryCount: variable("entryCount"), columns, sourceColumns: isDouble ? columns : 0 };
    const scores = ops.pattern("scores", isDouble); // [rows, heads, columns], or twice the columns
    const scaling = { scale: attentionScales[i]!, softcap: attentionSoftcap ?? 0, window: windows[i]!, ...rule };
    const seen = { ...shape, ...scaling, ...wide, kind: kernels.PATTERN_KINDS.scores };
    const inputs = { q, ...keys, headBiases: layer.headBiases, pattern: scores };
    ops.call(kernels.attendPattern, `${at}.hook_attn_scores`, inputs, seen);
    ops.tap(`${at}.hook_attn_scores`, scores, { isDouble });

    const pattern = ops.pattern("pattern", isDouble); // [rows, heads, columns], or twice the columns
    const stride = isDouble ? variable("doubleColumns") : columns;
    const softmaxRows = { rows: variable("softmaxRows"), columns: stride };
    ops.call(kernels.softmax, `${at}.hook_pattern`, { x: scores, y: pattern }, softmaxRows);
    ops.tap(`${at}.hook_pattern`, pattern, { isDouble });
    if (this.#options.attentionLayers?.includes(i)) {
      const y = activations.attentionSums(i); // [rows, columns]
      ops.call(kernels.sumHeads, `${at}.sums`, { pattern, y }, { rows, heads, columns, stride });
    }

    const z = ops.rows("z", heads * headDim); // [rows, heads, headDim]
    ops.call(kernels.attendWithPattern, `${at}.z`, { pattern, ...keys, z }, { ...shape, ...wide });
    ops.tap(`${at}.hook_z`, z);
    ops.tap(`${at}.hook_result`, z);
    return z;
  }

  /** Stores the keys and values of the rows, and returns q [rows, heads, headDim]; q and k are rotated. */
  #storeKeys(i: number, layer: LayerWeights, h: DraftTensor): DraftTensor {
    const ops = this.#ops;
    const at = `blocks.${i}.attn`;
    const { heads, kvHeads, headDim, rotary, normEpsilon: epsilon, modelType } = this.#parts.config;
    const { rotation, slots } = this.#parts.activations.ports;
    const stride = (heads + 2 * kvHeads) * headDim;
    const slice = (first: number) => ({ offset: first * headDim, stride });
    const qkv = ops.linear(`${at}.qkv`, layer.qkv, h, ops.rows("qkv", stride)); // [rows, heads + 2 kvHeads, headDim]
    ops.tap(`${at}.hook_q`, qkv, slice(0));
    ops.tap(`${at}.hook_k`, qkv, slice(heads));
    ops.tap(`${at}.hook_v`, qkv, slice(heads + kvHeads));

    const q = ops.rows("q", heads * headDim); // [rows, heads, headDim]
    const cache = this.#parts.store.caches[i]!; // [slots, 2, kvHeads, headDim]
    const norms = { qNorm: layer.qNorm, kNorm: layer.kNorm };
    const plain = { rotation: undefined, slots, q, cache };
    const unturned = { ...this.#headShape(i), rotaryDims: 0, interleaved: 0, epsilon };
    if (!rotary || !rotation) {
      ops.call(kernels.rotateStore, `${at}.store`, { qkv, ...plain, ...norms }, unturned);
      return q;
    }
    const turned = ops.rows("rotated", stride); // [rows, heads + 2 kvHeads, headDim]
    const interleaved = Number(families[modelType].isInterleaved);
    const turn = { rows, heads, kvHeads, headDim, rotaryDims: rotary.dims, interleaved, epsilon };
    ops.call(kernels.rotate, `${at}.rotate`, { qkv, rotation, ...norms, y: turned }, turn);
    ops.tap(`${at}.hook_rot_q`, turned, slice(0));
    ops.tap(`${at}.hook_rot_k`, turned, slice(heads));
    ops.call(
      kernels.rotateStore,
      `${at}.store`,
      { qkv: turned, ...plain, qNorm: undefined, kNorm: undefined },
      unturned,
    );
    return q;
  }

  /** The heads of a layer, and where in the step's lists its keys are. */
  #headShape(i: number) {
    const { heads, kvHeads, headDim } = this.#parts.config;
    const list = this.#parts.store.isPerLayer ? i : 0;
    return { rows, heads, kvHeads, headDim, list, slotCount: variable(`slotCount.${list}`) };
  }

  /** act(gate) · up, or act(up): [rows, hiddenDim] */
  #feedForward(at: string, layer: LayerWeights, h: DraftTensor): DraftTensor {
    const ops = this.#ops;
    const { hiddenDim } = this.#parts.config;
    const pre = ops.linear(`${at}.mlp.pre`, layer.gate ?? layer.up, h, ops.rows("inner.pre", hiddenDim)); // [rows, hiddenDim]
    ops.tap(`${at}.mlp.hook_pre`, pre);
    const up = layer.gate && ops.linear(`${at}.mlp.up`, layer.up, h, ops.rows("inner.up", hiddenDim)); // [rows, hiddenDim]
    if (up) ops.tap(`${at}.mlp.hook_pre_linear`, up);
    const inner = ops.activate(`${at}.mlp.inner`, pre, up, ops.rows("inner", hiddenDim)); // [rows, hiddenDim]
    ops.tap(`${at}.mlp.hook_post`, inner);
    return inner;
  }

  /** From the last residual [rows, dim] to logits of the rows in `outputRows`, and what is chosen from them. */
  #logits(x: DraftTensor): void {
    const ops = this.#ops;
    const { config, weights, activations } = this.#parts;
    const { dim, vocabSize, logitSoftcap } = config;
    const { outputRows, targets, best, logProbs } = activations.ports;
    const selected = ops.outputs("selected", dim); // [outputs, dim]
    const gather = { x, indices: outputRows, y: selected };
    ops.call(kernels.selectRows, "ln_final.select", gather, { rows: outputs, dim, sourceRows: rows });
    const h = ops.norm("ln_final", weights.finalNorm, selected, ops.outputs("selected.normed", dim)); // [outputs, dim]
    const logits = activations.outputs("logits", vocabSize); // [outputs, vocabSize]
    const { weight, bias } = weights.head;
    const head = { rows: outputs, inputs: dim, outputs: vocabSize, outputBegin: 0, outputStride: vocabSize };
    const ending = { activation: kernels.ACTIVATIONS.none, softcap: logitSoftcap ?? 0 };
    ops.call(kernels.linear, "head", { x: h, weight, bias, residual: undefined, y: logits }, { ...head, ...ending });
    const { wantsTopLogits, combining } = this.#options;
    const choosable = combining ? combining.combine(ops, activations, logits, vocabSize) : logits; // [outputs or choices, vocabSize]
    ops.stage("logits");
    const list = { rows: combining ? variable("choices") : outputs, columns: vocabSize };
    if (wantsTopLogits) {
      const { k, ...places } = topKTensors(activations, vocabSize); // [outputs, k] values and tokens, [outputs] total
      const params = { ...list, k, scale: variable("inverseTemperature") };
      ops.call(kernels.topK, "head.topLogits", { x: choosable, ...places }, params);
      return ops.stage("topLogits");
    }
    ops.call(kernels.argmax, "head.best", { x: choosable, best }, list); // [outputs or choices]
    if (combining) {
      combining.handOut(ops, activations, best, vocabSize);
      return ops.stage("greedy");
    }
    ops.stage("greedy");
    ops.call(kernels.tokenLogProb, "head.logProbs", { logits, targets, y: logProbs }, list); // [outputs]
    ops.stage("scored");
  }
}
