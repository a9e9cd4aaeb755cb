import type { SampleOf } from "../kernel.ts";
import type { tokenLogProb } from "./token-log-prob.ts";

/** Where `token-log-prob` is tested; rows three to six of nine have no log-probabilities. */
export const shapes: readonly SampleOf<typeof tokenLogProb>[] = [1, 2, 3, 4, 5, 31, 32, 33, 257, 49152].flatMap(
  (columns) => (columns < 2000 ? [1, 3, 9] : [4]).map((rows) => ({ params: { rows, columns } })),
);
