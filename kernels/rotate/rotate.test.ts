import { expect, test } from "vitest";
import type { Floats } from "../kernel.ts";
import { makeTrial, seededRandom } from "../trial.ts";
import { rotateStore } from "../rotate-store/rotate-store.ts";
import { rotate } from "./rotate.ts";

const floats = (data: Floats | Uint32Array | undefined) => data && Float64Array.from(data);

test("turns q and k by a quarter, and leaves v", () => {
  const y = new Float64Array(6);
  const buffers = { qkv: Float64Array.of(1, 2, 3, 4, 5, 6), rotation: Float64Array.of(0, 1), y };
  const params = { rows: 1, heads: 1, kvHeads: 1, headDim: 2, rotaryDims: 2, interleaved: 0, epsilon: 0 };
  rotate.reference({ ...buffers, qNorm: undefined, kNorm: undefined }, params);
  expect([...y]).toEqual([-2, 1, -4, 3, 5, 6]);
});

test.each(rotateStore.samples)("rotate, then store, is rotate-store: %j", ({ params, absent = [] }) => {
  const { arrays } = makeTrial(rotateStore, { params, absent }, seededRandom(1));
  const { qkv, rotation, slots, qNorm, kNorm, q, cache } = arrays;
  const inputs = { rotation: floats(rotation), qNorm: floats(qNorm), kNorm: floats(kNorm) };
  const [whole, halves] = [0, 1].map(() => ({ q: floats(q), cache: floats(cache) }));
  rotateStore.reference({ qkv: floats(qkv), ...inputs, slots, ...whole }, params);
  const y = floats(qkv);
  rotate.reference({ qkv: floats(qkv), ...inputs, y }, params);
  expect(y).not.toEqual(floats(qkv));
  rotateStore.reference({ qkv: y, slots, ...halves }, params);
  expect(halves).toEqual(whole);
});
