// The parts of a model: weights by TransformerLens' names, logits of residuals, what each head adds, scales of norms, passes that begin
// and end between layers, and batches. Each is held to what the pass itself says; on every family.

import { loadModel, type CapturedTensor, type Device, type ForwardResult, type Model } from "kedge";
import { openWeights } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAST_DEVICES, testDevice } from "../support/devices.ts";
import { isFullExtent } from "../support/extent.ts";
import { FAMILY_CONFIGS, familyFolder } from "../support/family-models.ts";
import { randomTokens } from "../support/tiny-model.ts";

const TOKENS = randomTokens(9, 3, 61);

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, where = "", bound = 2e-4): void {
  expect(got.length, where).toBe(want.length);
  const largest = Array.from(want).reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  for (let i = 0; i < want.length; i++) {
    if (!(Math.abs(got[i]! - want[i]!) <= bound * largest)) expect(got[i], `${where} ${i}`).toBeCloseTo(want[i]!, 6);
  }
}

/** x [rows, inputs] · weights [inputs, outputs] */
function multiply(x: CapturedTensor, weights: CapturedTensor): Float64Array {
  const [rows, outputs] = [x.shape[0]!, weights.shape[1]!];
  const y = new Float64Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    for (const [input, value] of x.row(row).entries()) {
      for (const [output, weight] of weights.row(input).entries()) y[row * outputs + output]! += value * weight;
    }
  }
  return y;
}

/** Values with a bias added to each row. */
const biased = (values: ArrayLike<number>, bias: Pick<CapturedTensor, "data"> | null): Float64Array =>
  Float64Array.from(values, (value, i) => value + (bias ? bias.data[i % bias.data.length]! : 0));

const families = Object.keys(FAMILY_CONFIGS);
const onDevice = (name: string) =>
  name === "reference" || isFullExtent ? families : families.filter((_, i) => i % 3 === 1);

describe.each(FAST_DEVICES)("on %s", (name) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice(name);
  });
  afterAll(() => device.dispose());

  describe.each(onDevice(name))("%s", (family) => {
    let model: Model;
    let whole: ForwardResult;
    const maybe = (weight: string): Promise<CapturedTensor | null> => model.weights(weight).catch(() => null);
    beforeAll(async () => {
      model = await loadModel(familyFolder(family), { device });
      const capture = ["hook_embed", "blocks.*.*", "blocks.*.*.*", "ln_final.*"];
      whole = await model.forward(TOKENS, { capture });
    });
    afterAll(() => model.dispose());

    test("weights compute what the taps hold", async () => {
      const { captured } = whole;
      const { heads, kvHeads, headDim, dim, hiddenDim, vocabSize, layers } = model.config;
      const [embedding, unembedding] = [await model.weights("W_E"), await model.weights("unembed.W_U")];
      expect([embedding.shape, unembedding.shape]).toEqual([
        [vocabSize, dim],
        [dim, vocabSize],
      ]);
      for (const [row, token] of TOKENS.entries()) {
        expectClose(captured["hook_embed"]!.row(row), embedding.row(token), "W_E", 1e-6);
      }
      for (const layer of [0, layers - 1]) {
        const at = `blocks.${layer}`;
        const read = captured[`${at}.ln1.hook_out`]!;
        for (const [letter, tap, count] of [
          ["Q", "hook_q", heads],
          ["K", "hook_k", kvHeads],
          ["V", "hook_v", kvHeads],
        ] as const) {
          const weights = await model.weights(`${at}.attn.W_${letter}`);
          const bias = await maybe(`${at}.attn.b_${letter}`);
          expect([weights.shape, bias?.shape]).toEqual([
            [count, dim, headDim],
            model.config.qkvBias ? [count, headDim] : undefined,
          ]);
          for (let head = 0; head < count; head++) {
            const own = multiply(read, {
              ...weights,
              shape: [dim, headDim],
              row: (i: number) => weights.row(head, i),
            } as never);
            for (let row = 0; row < TOKENS.length; row++) {
              const got = captured[`${at}.attn.${tap}`]!.row(row, head);
              const want = own.slice(row * headDim, (row + 1) * headDim);
              expectClose(got, biased(want, bias && ({ data: bias.row(head) } as never)), `${letter} ${head}`);
            }
          }
        }
        const inner = captured[`${at}.mlp.hook_post`]!;
        const [out, outBias] = [await model.weights(`${at}.mlp.W_out`), await maybe(`${at}.mlp.b_out`)];
        expect(out.shape).toEqual([hiddenDim, dim]);
        const tap = captured[`${at}.ln2_post.hook_scale`] ? undefined : captured[`${at}.hook_mlp_out`];
        if (tap) expectClose(tap.data, biased(multiply(inner, out), outBias), "W_out");
        const [gate, up] = [await maybe(`${at}.mlp.W_gate`), await model.weights(`${at}.mlp.W_in`)];
        const before = captured[`${at}.ln2.hook_out`] ?? read;
        const bias = await maybe(`${at}.mlp.b_${gate ? "gate" : "in"}`);
        expectClose(captured[`${at}.mlp.hook_pre`]!.data, biased(multiply(before, gate ?? up), bias), "W_in");
        const [w, b] = [await model.weights(`${at}.ln1.w`), await maybe(`${at}.ln1.b`)];
        const scaled = captured[`${at}.ln1.hook_normalized`]!.data.map((value, i) => value * w.data[i % dim]!);
        expectClose(read.data, biased(scaled, b), "ln1");
      }
    });

    test("what the heads add is the output of attention, and scales are what norms divide by", async () => {
      const { captured } = whole;
      const { dim, heads, layers } = model.config;
      for (let layer = 0; layer < layers; layer++) {
        const at = `blocks.${layer}`;
        const result = captured[`${at}.attn.hook_result`]!;
        expect(result.shape).toEqual([TOKENS.length, heads, dim]);
        const bias = await maybe(`${at}.attn.b_O`);
        const sums = Float64Array.from({ length: TOKENS.length * dim }, (_, i) => {
          let sum = bias?.data[i % dim] ?? 0;
          for (let head = 0; head < heads; head++) sum += result.at(Math.floor(i / dim), head, i % dim);
          return sum;
        });
        if (!captured[`${at}.ln1_post.hook_scale`]) expectClose(captured[`${at}.hook_attn_out`]!.data, sums, "result");
        const [x, scale] = [captured[`${at}.hook_resid_pre`]!, captured[`${at}.ln1.hook_scale`]!];
        expect(scale.shape).toEqual([TOKENS.length, 1]);
        for (let row = 0; row < TOKENS.length; row++) {
          const normalized = captured[`${at}.ln1.hook_normalized`]!.row(row);
          const difference = x.at(row, 0) - x.at(row, 1);
          expect((normalized[0]! - normalized[1]!) * scale.at(row, 0)).toBeCloseTo(difference, 3);
        }
      }
      expect(captured["ln_final.hook_scale"]!.shape).toEqual([TOKENS.length, 1]);
    });

    test("edits of derived taps change what lies behind them, and hooks that change nothing change nothing", async () => {
      const last = model.config.layers - 1;
      const taps = [`blocks.${last}.attn.hook_result`, `blocks.${last}.ln1.hook_scale`, "ln_final.hook_scale"];
      const same = await model.forward(TOKENS, {
        hooks: Object.fromEntries(taps.map((tap) => [tap, () => undefined])),
      });
      expectClose(same.logits!.data, whole.logits!.data, "same");
      const { dim, heads } = model.config;
      const result = whole.captured[taps[0]!]!;
      const without = await model.forward(TOKENS, {
        capture: [`blocks.${last}.hook_attn_out`, "ln_final.hook_normalized"],
        hooks: {
          [taps[0]!]: ({ data }) => data.map((value, i) => (Math.floor(i / dim) % heads === 1 ? 0 : value)),
          "ln_final.hook_scale": ({ data }) => data.map((value) => 2 * value),
        },
      });
      if (!whole.captured[`blocks.${last}.ln1_post.hook_scale`]) {
        const was = whole.captured[`blocks.${last}.hook_attn_out`]!;
        const want = was.data.map((value, i) => value - result.at(Math.floor(i / dim), 1, i % dim));
        expectClose(without.captured[`blocks.${last}.hook_attn_out`]!.data, want, "without a head");
      }
      const normalized = without.captured["ln_final.hook_normalized"]!;
      const squares = normalized.row(-1).reduce((sum, value) => sum + value ** 2, 0) / dim;
      expect(squares).toBeCloseTo(0.25, 2);
    });

    test("residuals give logits: the whole pass' own, normed or not, capped or not", async () => {
      const { captured, logits } = whole;
      const { layers, logitSoftcap } = model.config;
      const residual = captured[`blocks.${layers - 1}.hook_resid_post`]!;
      expectClose((await model.unembed(residual)).data, logits!.data);
      const normed = captured["ln_final.hook_out"]!;
      expectClose((await model.unembed(normed, { norm: false })).data, logits!.data);
      const open = await model.unembed(normed, { norm: false, softcap: false });
      const bias = await maybe("b_U");
      expectClose(open.data, biased(multiply(normed, await model.weights("W_U")), bias));
      if (logitSoftcap === null) expectClose(open.data, logits!.data);
      else
        expectClose(
          open.data.map((value) => logitSoftcap * Math.tanh(value / logitSoftcap)),
          logits!.data,
        );
    });

    test("a pass that ends before a layer and one that begins there are a whole one", async () => {
      const { layers } = model.config;
      for (let layer = 0; layer <= layers; layer++) {
        const before = await model.forward(TOKENS, { stopAtLayer: layer });
        expect(before.logits).toBeNull();
        const tap = layer === layers ? `blocks.${layer - 1}.hook_resid_post` : `blocks.${layer}.hook_resid_pre`;
        const residual = before.residual!;
        expectClose(residual.data, whole.captured[tap]!.data, tap, 1e-5);
        const after = await model.forward(TOKENS, { startAtLayer: layer, residual });
        expect(after.residual).toBeNull();
        if (!model.config.anchors?.layerMap.size) expectClose(after.logits!.data, whole.logits!.data, `from ${layer}`);
      }
    });

    test("prompts of a batch, of other lengths, give what each gives alone", async () => {
      const prompts = [TOKENS, TOKENS.slice(2, 6), TOKENS.slice(0, 1), TOKENS.toReversed()];
      const capture = ["blocks.*.attn.hook_pattern", "blocks.1.attn.hook_result", "ln_final.hook_out"];
      const seen: number[] = [];
      const hook = ({ promptIndex, data }: { promptIndex: number; data: Float32Array }) => {
        seen.push(promptIndex);
        if (promptIndex === 1) data.fill(0);
      };
      const hooks = { "blocks.1.hook_mlp_out": hook };
      const batch = await model.forwardBatch(prompts, { capture, hooks });
      expect(seen).toEqual([0, 1, 2, 3]);
      for (const [i, prompt] of prompts.entries()) {
        const alone = await model.forward(prompt, {
          capture,
          hooks: i === 1 ? { "blocks.1.hook_mlp_out": ({ data }) => void data.fill(0) } : {},
        });
        expectClose(batch[i]!.logits!.data, alone.logits!.data, `logits of ${i}`);
        expect(Object.keys(batch[i]!.captured)).toEqual(Object.keys(alone.captured));
        for (const [tap, { shape, data }] of Object.entries(alone.captured)) {
          expect(batch[i]!.captured[tap]!.shape, tap).toEqual(shape);
          expectClose(batch[i]!.captured[tap]!.data, data, `${tap} of ${i}`);
        }
      }
      const last = await model.forwardBatch(prompts, { logits: "last" });
      expect(last.map(({ logits }) => logits!.shape[0])).toEqual([1, 1, 1, 1]);
      expectClose(last[0]!.logits!.data, whole.logits!.row(-1));
    });
  });
});

describe("weights", () => {
  test("are the file's, exactly, and those of quantized files dequantized", async () => {
    const model = await loadModel(familyFolder("gpt2"), { device: "wasm" });
    const file = await openWeights(familyFolder("gpt2"));
    const { values } = await file.readTensor("transformer.h.1.attn.c_attn.weight"); // [dim, 3 dim]
    const { dim, headDim } = model.config;
    const keys = await model.weights("blocks.1.attn.W_K");
    for (const [head, row, k] of [
      [0, 0, 0],
      [3, 17, 4],
      [2, 39, 9],
    ] as const) {
      expect(keys.at(head, row, k)).toBe(values[row * 3 * dim + dim + head * headDim + k]);
    }
    const { values: places } = await file.readTensor("transformer.wpe.weight");
    expect((await model.weights("W_pos")).data).toEqual(Float32Array.from(places as Float32Array));
    const out = await model.weights("blocks.0.mlp.W_out");
    await model.dispose();
    for (const [quantize, bound] of [
      ["int8", 0.01],
      ["int4", 0.12],
    ] as const) {
      const small = await loadModel(familyFolder("gpt2"), { device: "wasm", quantize });
      const rounded = await small.weights("blocks.0.mlp.W_out");
      expect(rounded.data).not.toEqual(out.data);
      expectClose(rounded.data, out.data, quantize, bound);
      await small.dispose();
    }
  });
});

describe("is refused:", () => {
  let model: Model;
  let residual: CapturedTensor;
  beforeAll(async () => {
    model = await loadModel(familyFolder("llama"), { device: "reference" });
    residual = (await model.forward(TOKENS, { stopAtLayer: 1 })).residual!;
  });
  afterAll(() => model.dispose());

  test.each<[string, () => Promise<unknown>, string]>([
    [
      "a weight nearly right",
      () => model.weights("blocks.1.attn.W_0"),
      'no weight is called "blocks.1.attn.W_0": did you mean "blocks.1.attn.W_',
    ],
    ["a weight of another kind", () => model.weights("everything"), 'no weight is called "everything": there are'],
    [
      "a weight beyond the layers",
      () => model.weights("blocks.7.attn.W_Q"),
      'no weight is called "blocks.7.attn.W_Q": did you mean',
    ],
    [
      "a bias that the family lacks",
      () => model.weights("blocks.0.attn.b_O"),
      'this llama model has no weight "blocks.0.attn.b_O"; blocks.0.attn has W_Q, W_K, W_V, W_O',
    ],
    ["positions that the family lacks", () => model.weights("W_pos"), 'this llama model has no weight "W_pos"'],
    [
      "a residual of another shape",
      () => model.unembed({ shape: [2, 39], data: new Float32Array(78) }),
      "unembed: the residual is [2,39] with 78 numbers; it must be [rows,40]",
    ],
    [
      "a residual of too few numbers",
      () => model.unembed({ shape: [2, 40], data: [1, 2] }),
      "unembed: the residual is [2,40] with 2 numbers",
    ],
    [
      "a residual for other tokens",
      () => model.forward(TOKENS.slice(1), { startAtLayer: 1, residual }),
      "forward: the residual is [9,40] with 360 numbers; 8 tokens need [8,40]",
    ],
    [
      "a beginning without a residual",
      () => model.forward(TOKENS, { startAtLayer: 1 }),
      "startAtLayer and residual go together",
    ],
    [
      "a residual without a beginning",
      () => model.forward(TOKENS, { residual }),
      "startAtLayer and residual go together",
    ],
    [
      "a layer that is not there",
      () => model.forward(TOKENS, { startAtLayer: 3, residual }),
      "startAtLayer is 3 and stopAtLayer 2: the model has 2 layers",
    ],
    [
      "an end before the beginning",
      () => model.forward(TOKENS, { startAtLayer: 1, stopAtLayer: 1, residual }),
      "stopAtLayer is 1: it must be above startAtLayer, which is 1",
    ],
    [
      "logits of a pass that ends before a layer",
      () => model.forward(TOKENS, { stopAtLayer: 1, logits: "all" }),
      "a pass that ends before layer 1 has no logits",
    ],
    [
      "a tap before the beginning",
      () => model.forward(TOKENS, { startAtLayer: 1, residual, capture: ["hook_embed"] }),
      'the pass begins at layer 1: it does not reach the tap "hook_embed"',
    ],
    [
      "a tap behind the end",
      () => model.forward(TOKENS, { stopAtLayer: 1, hooks: { "blocks.1.hook_mlp_out": () => undefined } }),
      'begins at layer 0 and ends before layer 1: it does not reach the tap "blocks.1.hook_mlp_out"',
    ],
    ["no prompts", () => model.forwardBatch([]), "forwardBatch: there are 0 prompts"],
    ["an empty prompt in a batch", () => model.forwardBatch([TOKENS, []]), "a forward pass needs at least 1 token"],
  ])("%s", async (_, call, message) => {
    await expect(call()).rejects.toThrow(message);
    await expect(call()).rejects.toBeInstanceOf(RangeError);
  });

  test("wildcards take the taps that a pass reaches", async () => {
    const { captured } = await model.forward(TOKENS, { stopAtLayer: 1, capture: ["blocks.*.hook_mlp_out"] });
    expect(Object.keys(captured)).toEqual(["blocks.0.hook_mlp_out"]);
  });
});
