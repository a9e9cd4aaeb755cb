// Analyses of kedge/attention: identities that hold for every family, and TransformerLens' numbers for the tiny GPT-2.

import { loadModel, type Model } from "kedge";
import { attentionRollout, attributeLogit, logitLens, scoreHeads } from "kedge/attention";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAMILY_CONFIGS, familyFolder } from "../support/family-models.ts";
import { distance, golden, goldenPath, openGoldens, rowOf } from "../support/goldens.ts";
import { randomTokens } from "../support/tiny-model.ts";

const TOKENS = randomTokens(9, 3, 61);

const expectGolden = async (name: string, got: readonly number[]) => {
  const lens = await openGoldens(goldenPath("gpt2/transformer-lens.safetensors"));
  const { largest, scale } = distance(got, (await golden(lens, name)).values);
  expect(largest / scale, name).toBeLessThan(1e-5);
};
const text = async () => {
  const file = await openGoldens(goldenPath("gpt2/golden.safetensors"));
  return [...rowOf(await golden(file, "input_ids"), 0)];
};

describe("TransformerLens says the same", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(goldenPath("gpt2"), { device: "wasm" });
  });
  afterAll(() => model.dispose());
  test("of what heads and layers add to a logit", async () => {
    const { token, embedding, positions, layers } = await attributeLogit(model, await text());
    await expectGolden("attribution.token", [token.token]);
    const ofLayers = layers.flatMap(({ attention, feedForward }) => [attention, feedForward]);
    await expectGolden("attribution.parts", [embedding, positions, ...ofLayers]);
    await expectGolden(
      "attribution.heads",
      layers.flatMap(({ heads }) => [...heads]),
    );
  });

  test("of heads on a text that is said twice", async () => {
    const lens = await openGoldens(goldenPath("gpt2/transformer-lens.safetensors"));
    const said = [...(await golden(lens, "heads.tokens")).values].slice(0, 12);
    const { layers, tokens, period } = await scoreHeads(model, { tokens: said });
    expect([tokens.length, period]).toEqual([24, 12]);
    for (const kind of ["previous", "duplicate", "induction"] as const) {
      await expectGolden(
        `heads.${kind}`,
        layers.flatMap((layer) => [...layer[kind]]),
      );
    }
  });
});

describe.each(Object.keys(FAMILY_CONFIGS))("%s", (family) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(familyFolder(family), { device: "wasm" });
  });
  afterAll(() => model.dispose());

  test("what is attributed adds up to the logit, and heads to their layer", async () => {
    const { logitSoftcap } = model.config;
    for (const position of [-1, 4]) {
      const logits = (await model.forward(TOKENS)).logits!.row(position);
      const found = await attributeLogit(model, TOKENS, { position, token: 7 });
      const { logit, layers } = found;
      expect(logitSoftcap === null ? logit : logitSoftcap * Math.tanh(logit / logitSoftcap)).toBeCloseTo(logits[7]!, 2);
      for (const { heads, attentionBias, attention } of layers) {
        expect(heads.reduce((sum, one) => sum + one, attentionBias)).toBeCloseTo(attention, 3);
      }
      const other = await attributeLogit(model, TOKENS, { position, token: 9 });
      const both = await attributeLogit(model, TOKENS, { position, token: 7, against: 9 });
      expect(both.logit).toBeCloseTo(logit - other.logit, 3);
    }
  });

  test("the lens ends with the model's own log-probabilities", async () => {
    const { tokens, layers } = await logitLens(model, TOKENS, { top: 3 });
    expect(tokens.map(({ token }) => token)).toEqual(TOKENS);
    expect(layers).toHaveLength(model.config.layers + 1);
    const { logProbs } = await model.score(TOKENS);
    const own = layers.at(-1)!;
    expect(own.at(-1)!.nextLogProb).toBeNull();
    for (const [i, want] of logProbs.entries()) expect(own[i]!.nextLogProb).toBeCloseTo(want, 3);
    const [best] = own.at(-1)!.top;
    const { logits } = await model.forward(TOKENS, { logits: "last" });
    expect(best!.token).toBe(logits!.data.indexOf(Math.max(...logits!.data)));
    for (const { top } of layers[0]!) {
      expect(top.map(({ logProb }) => logProb)).toEqual(top.map(({ logProb }) => logProb).toSorted((a, b) => b - a));
    }
  });

  test("rollout gives every place shares of the tokens up to it", async () => {
    const { shares } = await attentionRollout(model, TOKENS);
    expect(shares.shape).toEqual([9, 9]);
    for (let row = 0; row < 9; row++) {
      expect(shares.row(row).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
      expect([...shares.row(row).subarray(row + 1)].every((share) => share === 0)).toBe(true);
      expect(shares.at(row, row)).toBeGreaterThanOrEqual(0.5 ** model.config.layers - 1e-6);
    }
    const one = await attentionRollout(model, TOKENS.slice(0, 1));
    expect([...one.shares.data]).toEqual([1]);
  });
});

describe("is refused:", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(familyFolder("llama"), { device: "reference" });
  });
  afterAll(() => model.dispose());

  test.each<[string, () => Promise<unknown>, string]>([
    [
      "a position beyond the text",
      () => attributeLogit(model, TOKENS, { position: 9 }),
      "attributeLogit: position is 9: the text has 9 tokens, 0 to 8",
    ],
    [
      "a token beyond the vocabulary",
      () => attributeLogit(model, TOKENS, { against: 61 }),
      "attributeLogit: against is 61: the vocabulary has 61 tokens",
    ],
    ["no token at a lens", () => logitLens(model, []), "logitLens: the text has 0 tokens: it needs 1 or more"],
    ["no token at all", () => attentionRollout(model, []), "attentionRollout: the text has 0 tokens"],
    ["none of the likeliest", () => logitLens(model, TOKENS, { top: 0 }), "top"],
    [
      "a period beyond the context",
      () => scoreHeads(model, { period: 49 }),
      "scoreHeads: period is 49: said twice it must fit the context of 96",
    ],
    ["an option that there is not", () => scoreHeads(model, { periods: 3 } as never), 'did you mean "period"?'],
  ])("%s", async (_, call, message) => {
    await expect(call()).rejects.toThrow(message);
    await expect(call()).rejects.toBeInstanceOf(RangeError);
  });
});
