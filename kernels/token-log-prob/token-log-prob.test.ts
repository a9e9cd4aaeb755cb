import { expect, test } from "vitest";
import { tokenLogProb } from "./token-log-prob.ts";

test("of equal logits is -log of their number, whatever is added to all", () => {
  const y = new Float64Array(2);
  const logits = Float64Array.of(700, 700, 700, 700, 0, Math.log(3), -Infinity, -Infinity);
  tokenLogProb.reference({ logits, targets: Uint32Array.of(2, 1), y }, { rows: 2, columns: 4 });
  expect(y[0]).toBeCloseTo(-Math.log(4), 12);
  expect(y[1]).toBeCloseTo(Math.log(0.75), 12);
});

test("is NaN where no token can be chosen, and -Infinity for a token that cannot", () => {
  const y = new Float64Array(4);
  const [none, targets] = [-Infinity, Uint32Array.of(1, 1, 1, 1)];
  tokenLogProb.reference(
    { logits: Float64Array.of(NaN, 1, Infinity, 1, none, none, 1, none), targets, y },
    { rows: 4, columns: 2 },
  );
  expect([...y]).toEqual([NaN, NaN, NaN, -Infinity]);
});
