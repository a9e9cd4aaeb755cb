// SPA against logits and continuations computed elsewhere, with the plain and the masked rows run one by one on the reference
// device. The goldens were made with dense attention: the fixture's own anchor rule gives others, and a test shows it.

import { beforeAll, describe, expect, it } from "vitest";
import { openFolder, openSafetensors, type ModelConfig, type SafetensorsFile } from "../../loaders/index.ts";
import { goldenPath } from "../../tests/support/goldens.ts";
import { openSteps } from "../../tests/support/steps.ts";
import { ReferenceDevice } from "../devices/reference/reference-device.ts";
import { argmax } from "../generate/ranking.ts";
import type { EngineDecoder } from "../model/engine-decoder.ts";
import { combine } from "./contrast.ts";
import { maskedRows } from "./mask.ts";
import { needsMaskedRows } from "./strength.ts";

const STRENGTHS = ["-0.5,1.0", "0.0,1.0", "1.0,1.0", "1.25,1.6", "1.3,1.0", "2.0,0.5"];
const MASK_TOKEN = 1;

/** A tensor of integers as rows of its last axis. */
async function integerRows(file: SafetensorsFile, name: string): Promise<number[][]> {
  const { values, shape } = await file.readTensor(name);
  const width = shape.at(-1)!;
  const flat = Array.from(values, Number);
  return Array.from({ length: flat.length / width }, (_, row) => flat.slice(row * width, (row + 1) * width));
}

async function openDecoder(attention: "dense" | "anchors"): Promise<EngineDecoder> {
  const folder = openFolder(goldenPath("anchors"));
  const change = (config: ModelConfig) => (attention === "dense" ? { ...config, anchors: null } : config);
  const { decoder } = await openSteps(new ReferenceDevice(), { folder, change });
  return decoder;
}

/** Gives the logits after a row's tokens, and after each further one that it is given; a sequence of its own. */
function opened(decoder: EngineDecoder, row: readonly number[]) {
  const sequence = decoder.open();
  let unfed = row;
  return {
    push: (token: number) => void (unfed = [...unfed, token]),
    async logits(): Promise<Float32Array> {
      const [logits] = await decoder.logits([{ sequence, tokens: unfed }]);
      unfed = [];
      return logits!.slice();
    },
    close: () => decoder.close(sequence),
  };
}

/** Ranges in which a masked row differs from its prompt. */
function differences(prompt: readonly number[], masked: readonly number[]): { begin: number; end: number }[] {
  const isMasked = prompt.map((token, i) => token !== masked[i]);
  return isMasked.flatMap((is, begin) =>
    is && !isMasked[begin - 1] ? [{ begin, end: isMasked.concat(false).indexOf(false, begin) }] : [],
  );
}

function largestDifference(got: Float32Array, want: Float32Array): number {
  return got.reduce((largest, value, i) => Math.max(largest, Math.abs(value - want[i]!)), 0);
}

describe("SPA against goldens", () => {
  let golden: SafetensorsFile;
  let dense: EngineDecoder;
  let prompts: number[][];
  let groupsOf: { tokens: { begin: number; end: number }[] }[][];
  let maskedOf: number[][][];

  /** Combined logits [vocabSize] after a prompt, then after each of the tokens that `next` chooses by them, until it has none. */
  async function combined(
    decoder: EngineDecoder,
    prompt: number,
    strengths: readonly number[],
    next: (logits: Float32Array) => number | undefined = () => undefined,
  ): Promise<Float32Array> {
    const masks = maskedRows(prompts[prompt]!, groupsOf[prompt]!, { kind: "token", token: MASK_TOKEN });
    const isNeeded = needsMaskedRows(strengths.map((strength) => ({ strength })));
    const plain = opened(decoder, prompts[prompt]!);
    const masked = masks.map((tokens, group) => (isNeeded[group] ? opened(decoder, tokens) : null));
    try {
      for (;;) {
        const logits = await plain.logits();
        const others: (Float32Array | null)[] = [];
        for (const row of masked) others.push(row && (await row.logits()));
        const mixed = combine(logits, others, strengths);
        const token = next(mixed);
        if (token === undefined) return mixed;
        for (const row of [plain, ...masked]) row?.push(token);
      }
    } finally {
      for (const row of [plain, ...masked]) row?.close();
    }
  }

  /** Golden logits [prompts][vocabSize]. */
  async function goldenLogits(name: string): Promise<Float32Array[]> {
    const { values, shape } = await golden.readTensor(`spa.${name}.logits`);
    const width = shape.at(-1)!;
    return prompts.map((_, i) => Float32Array.from(values as Float32Array).subarray(i * width, (i + 1) * width));
  }

  beforeAll(async () => {
    const folder = openFolder(goldenPath("anchors"));
    golden = await openSafetensors(await folder.open("golden.safetensors"));
    prompts = await integerRows(golden, "spa.prompt");
    const masked = await integerRows(golden, "spa.masked"); // [prompts * groups, tokens]
    const groups = masked.length / prompts.length;
    maskedOf = prompts.map((_, i) => masked.slice(i * groups, (i + 1) * groups));
    groupsOf = prompts.map((prompt, i) => maskedOf[i]!.map((row) => ({ tokens: differences(prompt, row) })));
    dense = await openDecoder("dense");
  });

  it("builds the masked rows", () => {
    const built = prompts.map((prompt, i) => maskedRows(prompt, groupsOf[i]!, { kind: "token", token: MASK_TOKEN }));
    expect(built).toEqual(maskedOf);
  });

  it.each(STRENGTHS)("logits at the prompt's end with strengths %s", async (name) => {
    const strengths = name.split(",").map(Number);
    for (const [prompt, want] of (await goldenLogits(name)).entries()) {
      const scale = want.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
      expect(largestDifference(await combined(dense, prompt, strengths), want)).toBeLessThan(1e-5 * scale);
    }
  });

  it.each(STRENGTHS)("greedy continuation with strengths %s", async (name) => {
    const strengths = name.split(",").map(Number);
    const wanted = await integerRows(golden, `spa.${name}.greedy`);
    for (const [prompt, want] of wanted.entries()) {
      const generated: number[] = [];
      const length = prompts[prompt]!.length;
      expect(want.slice(0, length)).toEqual(prompts[prompt]);
      await combined(dense, prompt, strengths, (logits) => {
        generated.push(argmax(logits));
        return length + generated.length < want.length ? generated.at(-1) : undefined;
      });
      expect(generated).toEqual(want.slice(length));
    }
  });

  it("are not those of the fixture's own anchor attention", async () => {
    const anchored = await openDecoder("anchors");
    const [want] = await goldenLogits("1.25,1.6");
    expect(largestDifference(await combined(anchored, 0, [1.25, 1.6]), want!)).toBeGreaterThan(0.1);
  });
});
