import { expect, test } from "vitest";
import { tokenLogProb } from "./token-log-prob.ts";

test("of equal logits is -log of their number, whatever is added to all", () => {
  const y = new Float64Array(2);
  const logits = Float64Array.of(700, 700, 700, 700, 0, Math.log(3), -Infinity, -Infinity);
  tokenLogProb.reference({ logits, targets: Uint32Array.of(2, 1), y }, { rows: 2, columns: 4 });
  expect(y[0]).toBeCloseTo(-Math.log(4), 12);
  expect(y[1]).toBeCloseTo(Math.log(0.75), 12);
});
