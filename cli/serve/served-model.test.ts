// What requests take of a model beforehand, in rows and bytes.

import { loadModel, type Model } from "kedge";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyFolder } from "../../tests/support/tiny-model.ts";
import { ServedModel } from "./served-model.ts";

/** Keys and values of a token of the tiny model: 3 layers, 2 heads of 20 numbers of f32, of each kind. */
const TOKEN = 3 * 2 * 20 * 2 * 4;
let model: Model;
beforeAll(async () => {
  model = await loadModel(tinyFolder(), { device: "reference" });
});
afterAll(() => model.dispose());

const served = (rows: number, cacheBytes: number) =>
  new ServedModel("tiny", model, { rows, cacheBytes, queue: 1, maxTokens: 9 });

test("texts share their prompt's bytes, and masked rows have theirs", () => {
  const tiny = served(32, 1e9);
  expect(tiny.needOf([10], 5)).toEqual({ rows: 1, bytes: 15 * TOKEN, atOnce: 1 });
  expect(tiny.needOf([10], 5, { samples: 3 })).toEqual({ rows: 3, bytes: 25 * TOKEN, atOnce: 1 });
  expect(tiny.needOf([10], 5, { samples: 3, masked: 1 })).toEqual({ rows: 6, bytes: 50 * TOKEN, atOnce: 1 });
  expect(tiny.needOf([10], 5000)).toEqual({ rows: 1, bytes: 160 * TOKEN, atOnce: 1 }); // the context ends it
});

test("prompts run together as far as rows and bytes last, at least one", () => {
  expect(served(4, 1e9).needOf([1, 2, 3], 1, { samples: 2 })).toEqual({ rows: 4, bytes: 9 * TOKEN, atOnce: 2 });
  expect(served(4, 1).needOf([100, 90, 70], 0)).toEqual({ rows: 1, bytes: 100 * TOKEN, atOnce: 1 });
  expect(served(4, 1).needOf([100, 60, 70], 0)).toEqual({ rows: 1, bytes: 100 * TOKEN, atOnce: 1 });
  expect(served(4, 1).needOf([80, 60, 20], 0)).toEqual({ rows: 3, bytes: 160 * TOKEN, atOnce: 3 });
});

test("one whole context is always allowed, however little memory is given", () => {
  expect(served(4, 1).admission.limits.bytes).toBe(160 * TOKEN);
  expect(served(4, 1e9).admission.limits.bytes).toBe(1e9);
});
