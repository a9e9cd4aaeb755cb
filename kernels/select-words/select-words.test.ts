import { expect, test } from "vitest";
import { selectWords } from "./select-words.ts";

test("takes each word from its place", () => {
  const y = new Uint32Array(4);
  const [x, indices] = [Uint32Array.of(7, 151_935), Uint32Array.of(1, 0, 0, 1)];
  selectWords.reference({ x, indices, y }, { rows: 4, sourceRows: 2 });
  expect([...y]).toEqual([151_935, 7, 7, 151_935]);
});
