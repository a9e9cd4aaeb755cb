// What the taps hold, worked out by hand from the residual stream and the weights, as TransformerLens defines them.

import { loadModel, type CapturedTensor, type Device, type Model } from "kedge";
import { openWeights } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEVICES, testDevice } from "../support/devices.ts";
import { familyConfig, familyFolder } from "../support/family-models.ts";
import { randomTokens } from "../support/tiny-model.ts";

const TOKENS = randomTokens(11, 3, 61);
const EPSILON = 1e-5;

/** Families with each kind of norm and rotation, and the tensors of their norms. */
const CASES = [
  { name: "llama", isCentered: false, offset: 0, ln1: "model.layers.1.input_layernorm", final: "model.norm" },
  { name: "gemma2", isCentered: false, offset: 1, ln1: "model.layers.1.input_layernorm", final: "model.norm" },
  { name: "gpt2", isCentered: true, offset: 0, ln1: "transformer.h.1.ln_1", final: "transformer.ln_f" },
  { name: "codegen", isCentered: true, offset: 0, ln1: "transformer.h.1.ln_1", final: "transformer.ln_f" },
  { name: "qwen3", isCentered: false, offset: 0, ln1: "model.layers.1.input_layernorm", final: "model.norm" },
  { name: "phi", isCentered: true, offset: 0, ln1: "model.layers.1.input_layernorm", final: "model.final_layernorm" },
] as const;

/** x, less its mean if centered, over the root of its mean square, row by row. */
function normalized({ data, shape }: CapturedTensor, isCentered: boolean): Float64Array {
  const dim = shape[1]!;
  const result = Float64Array.from(data);
  for (let begin = 0; begin < data.length; begin += dim) {
    const row = result.subarray(begin, begin + dim);
    const mean = isCentered ? row.reduce((sum, value) => sum + value, 0) / dim : 0;
    const scale = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / dim + EPSILON);
    for (const [i, value] of row.entries()) row[i] = (value - mean) / scale;
  }
  return result;
}

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, what: string): void {
  expect(got.length, what).toBe(want.length);
  for (let i = 0; i < want.length; i++) {
    if (!(Math.abs(got[i]! - want[i]!) <= 2e-4 + 2e-4 * Math.abs(want[i]!)))
      expect([what, i, got[i]]).toEqual([what, i, want[i]]);
  }
}

const zeros = ({ data }: { data: Float32Array }) => void data.fill(0);

describe.each(DEVICES)("on %s", (deviceName) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice(deviceName);
  });
  afterAll(() => device.dispose());

  describe.each(CASES)("taps of $name", ({ name, isCentered, offset, ln1, final }) => {
    const { heads, kvHeads, headDim, rotary, attentionScales, attentionSoftcap } = familyConfig(name);
    let model: Model;
    beforeAll(async () => {
      model = await loadModel(familyFolder(name), { device });
    });
    afterAll(() => model.dispose());

    test("hook_normalized is x / scale, hook_out has weight and bias applied", async () => {
      const { captured } = await model.forward(TOKENS, {
        capture: ["blocks.1.hook_resid_pre", "blocks.1.hook_resid_post", "blocks.1.ln1.hook_*", "ln_final.hook_*"],
      });
      const checkpoint = await openWeights(familyFolder(name));
      for (const [residual, norm, module] of [
        ["blocks.1.hook_resid_pre", "blocks.1.ln1", ln1],
        ["blocks.1.hook_resid_post", "ln_final", final],
      ] as const) {
        const want = normalized(captured[residual]!, isCentered);
        expectClose(captured[`${norm}.hook_normalized`]!.data, want, `${norm}.hook_normalized`);
        const { values: weight } = await checkpoint.readTensor(`${module}.weight`);
        const bias = isCentered ? (await checkpoint.readTensor(`${module}.bias`)).values : undefined;
        const out = want.map((value, i) => {
          const column = i % weight.length;
          return value * (offset + Number(weight[column]!)) + Number(bias?.[column] ?? 0);
        });
        expectClose(captured[`${norm}.hook_out`]!.data, out, `${norm}.hook_out`);
      }
    });

    test.skipIf(!rotary)(
      "scores are products of hook_rot_q and hook_rot_k; the first token is not turned",
      async () => {
        const { captured } = await model.forward(TOKENS, { capture: ["blocks.1.attn.*"] });
        const [q, k, rotQ, rotK, scores] = ["q", "k", "rot_q", "rot_k", "attn_scores"].map(
          (tap) => captured[`blocks.1.attn.hook_${tap}`]!,
        ) as [CapturedTensor, CapturedTensor, CapturedTensor, CapturedTensor, CapturedTensor];
        const want = scores.data.map((_, i) => {
          const [head, row, key] = [
            Math.floor(i / TOKENS.length ** 2),
            Math.floor(i / TOKENS.length) % TOKENS.length,
            i % TOKENS.length,
          ];
          if (scores.data[i] === -Infinity) return -Infinity;
          const a = (row * heads + head) * headDim;
          const b = (key * kvHeads + Math.floor(head / (heads / kvHeads))) * headDim;
          let dot = 0;
          for (let d = 0; d < headDim; d++) dot += rotQ.data[a + d]! * rotK.data[b + d]!;
          const score = dot * attentionScales[1]!;
          return attentionSoftcap ? attentionSoftcap * Math.tanh(score / attentionSoftcap) : score;
        });
        const finite = [...want.keys()].filter((i) => want[i] !== -Infinity);
        expectClose(
          finite.map((i) => scores.data[i]!),
          finite.map((i) => want[i]!),
          "scores",
        );
        if (name === "qwen3") return; // normed first
        const first = heads * headDim;
        expectClose(rotQ.data.subarray(0, first), q.data.subarray(0, first), "q of the first token");
        expect(rotK.data.subarray(kvHeads * headDim)).not.toEqual(k.data.subarray(kvHeads * headDim));
      },
    );

    test.skipIf(!rotary)("an edited hook_rot_q decides where attention looks", async () => {
      const { captured } = await model.forward(TOKENS, {
        hooks: { "blocks.0.attn.hook_rot_q": zeros },
        capture: ["blocks.0.attn.hook_pattern"],
      });
      const { data } = captured["blocks.0.attn.hook_pattern"]!;
      const row = data.subarray(4 * TOKENS.length, 4 * TOKENS.length + 5);
      expectClose(row, [0.2, 0.2, 0.2, 0.2, 0.2], "a row of even weights");
    });

    test("an edited hook_normalized is what the norm goes on with", async () => {
      const { captured } = await model.forward(TOKENS, {
        hooks: { "blocks.1.ln1.hook_normalized": zeros },
        capture: ["blocks.1.ln1.hook_out"],
      });
      const { data } = captured["blocks.1.ln1.hook_out"]!;
      const checkpoint = await openWeights(familyFolder(name));
      const bias = isCentered ? (await checkpoint.readTensor(`${ln1}.bias`)).values : undefined;
      expectClose(
        data,
        data.map((_, i) => Number(bias?.[i % bias.length] ?? 0)),
        "nothing but the bias",
      );
    });
  });

  test("a tap that the model lacks is reported with its type", async () => {
    const model = await loadModel(familyFolder("gpt_neox"), { device });
    await expect(model.forward(TOKENS, { capture: ["blocks.*.hook_resid_mid"] })).rejects.toThrow(
      'a gpt_neox model has no tap "blocks.*.hook_resid_mid"',
    );
    await expect(model.forward(TOKENS, { hooks: { hook_pos_embed: zeros } })).rejects.toThrow(RangeError);
    await model.dispose();
  });
});
