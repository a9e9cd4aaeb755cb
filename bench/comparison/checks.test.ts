import { expect, test } from "vitest";
import { checkDeviation, checkReady, checkTokens, sameAtStart } from "./checks.ts";
import { parseStat } from "./cpu-time.ts";
import { deviationOf, operationOf, SIZE } from "./operation.ts";
import type { Entrant } from "./works.ts";

const entrant = (variant: string): Entrant => ({ name: variant, contender: "fake", variant });
const reference = (mean: number) => ({ tokens: [5, 6, 7], meanLogProb: () => Promise.resolve(mean) });

test("counts what is the same at the start", () => {
  expect([sameAtStart([1, 2, 3], [1, 2, 4]), sameAtStart([1], [1, 2]), sameAtStart([2], [1])]).toEqual([2, 1, 0]);
});

test("a deviation may be as large as its format's roundings", () => {
  expect(checkDeviation(entrant("int8"), 0.02)).toBe("deviates by 2.0e-2");
  expect(() => checkDeviation(entrant("f32"), 0.02)).toThrow("f32 may by 0.0001");
  expect(() => checkDeviation(entrant("f32"), Number.NaN)).toThrow("NaN");
});

test("stored weights must give the very tokens, rounded ones a likely text", async () => {
  expect(await checkTokens(entrant("f32"), [5, 6, 7], reference(-9))).toBe("all 3 tokens the same");
  await expect(checkTokens(entrant("f32"), [5, 6, 8], reference(0))).rejects.toThrow(
    "only the first 2 of its 3 tokens",
  );
  expect(await checkTokens(entrant("int4"), [5, 9, 9], reference(-1))).toContain("first 1 of 3 tokens the same");
  await expect(checkTokens(entrant("int4"), [5, 9, 9], reference(-9))).rejects.toThrow("mean log-probability of -9.00");
  await expect(checkTokens(entrant("int4"), [], reference(0))).rejects.toThrow("no tokens");
});

test("a text is held to the reference by its tokens", async () => {
  const encoding = { ...reference(0), encode: () => [5, 6, 7], dispose: () => Promise.resolve() };
  expect(await checkReady(entrant("q4_1"), { settings: {}, text: "abc" }, encoding)).toBe("all 3 tokens the same");
  expect(await checkReady(entrant("q4_1"), { settings: {} }, encoding)).toBe("");
});

test("the chain's reference notices one wrong number", () => {
  const operation = operationOf("row");
  const identity = new Float32Array(SIZE * SIZE);
  for (let i = 0; i < SIZE; i++) identity[i * SIZE + i] = 1;
  const plain = { ...operation, weights: [identity, identity] };
  const y = Float32Array.from(operation.x);
  expect(deviationOf(plain, y)).toBe(0);
  y[3]! += 1;
  expect(deviationOf(plain, y)).toBeGreaterThan(1e-2);
  expect(() => deviationOf(plain, new Float32Array(3))).toThrow(RangeError);
});

test("reads a process's time behind a name with spaces and brackets", () => {
  const fields = ["S", "41", ...Array<string>(9).fill("0"), "150", "50", "0"];
  expect(parseStat(`7 (a (b) c) ${fields.join(" ")}`)).toEqual({ parent: 41, seconds: 2 });
});
