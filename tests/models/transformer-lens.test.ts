// A tiny GPT-2 against TransformerLens, which was run on it by hand: goldens/README.md says what the file holds.

import { loadModel, type Device, type Model } from "kedge";
import type { SafetensorsFile } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAST_DEVICES, testDevice } from "../support/devices.ts";
import { distance, golden, goldenPath, openGoldens, rowOf } from "../support/goldens.ts";

/** Where the passes between layers end and begin. */
const LAYER = 1;

let lens: SafetensorsFile;
let tokens: number[];
beforeAll(async () => {
  lens = await openGoldens(goldenPath("gpt2/transformer-lens.safetensors"));
  const own = await openGoldens(goldenPath("gpt2/golden.safetensors"));
  tokens = [...rowOf(await golden(own, "input_ids"), 0)];
});

/** sum of w[i] sin(i + 1): it depends on every number and on its place */
const digest = (data: Float32Array): number => data.reduce((sum, value, i) => sum + value * Math.sin(i + 1), 0);

async function expectGolden(name: string, got: ArrayLike<number>): Promise<void> {
  const { largest, scale } = distance(got, (await golden(lens, name)).values);
  expect(largest / scale, name).toBeLessThan(1e-5);
}

describe.each(FAST_DEVICES)("on %s", (name) => {
  let device: Device;
  let model: Model;
  beforeAll(async () => {
    device = await testDevice(name);
    model = await loadModel(goldenPath("gpt2"), { device });
  });
  afterAll(async () => {
    await model.dispose();
    await device.dispose();
  });

  test("weights have its names, shapes and numbers", async () => {
    const names = [...lens.tensors.keys()].flatMap((key) => /^weights\.(.*)\.digest$/.exec(key)?.[1] ?? []);
    expect(names).toHaveLength(54);
    for (const weight of names) {
      const want = await golden(lens, `weights.${weight}.digest`);
      const got = await model.weights(weight).catch((error: Error) => error);
      // TransformerLens gives the head a bias of zeros; the model has none.
      if (got instanceof Error) {
        expect([weight, want.values[0]]).toEqual(["unembed.b_U", 0]);
        continue;
      }
      expect(got.shape, weight).toEqual([...(await golden(lens, `weights.${weight}.shape`)).values]);
      expect(digest(got.data), weight).toBeCloseTo(want.values[0]!, 3);
    }
  });

  test("results of heads and scales of norms are its own", async () => {
    const capture = ["blocks.*.attn.hook_result", "blocks.*.*.hook_scale", "ln_final.hook_scale"];
    const { captured } = await model.forward(tokens, { capture });
    expect(Object.keys(captured)).toHaveLength(10);
    for (const [tap, { shape, data }] of Object.entries(captured)) {
      expect(shape, tap).toEqual((await golden(lens, tap)).shape);
      await expectGolden(tap, data);
    }
  });

  test("a pass that ends before a layer, and one that begins there with a position zeroed", async () => {
    const { residual } = await model.forward(tokens, { stopAtLayer: LAYER });
    await expectGolden("residual", residual!.data);
    residual!.row(3).fill(0);
    const { logits } = await model.forward(tokens, { startAtLayer: LAYER, residual: residual!, logits: "last" });
    await expectGolden("from-residual", logits!.data);
    await expectGolden("logits", (await model.forward(tokens, { logits: "last" })).logits!.data);
  });

  test("residuals between layers give the logits of its lens", async () => {
    const capture = ["blocks.*.hook_resid_pre", "blocks.2.hook_resid_post"];
    const { captured } = await model.forward(tokens, { capture, logits: "none" });
    const data = Object.values(captured).flatMap((residual) => [...residual.row(-1)]);
    const { shape, data: logits } = await model.unembed({ shape: [4, model.config.dim], data });
    expect(shape).toEqual([4, 211]);
    await expectGolden("lens", logits);
  });
});
