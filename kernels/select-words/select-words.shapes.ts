import type { SampleOf } from "../kernel.ts";
import type { selectWords } from "./select-words.ts";

/** Where `select-words` is tested. */
export const shapes: readonly SampleOf<typeof selectWords>[] = [1, 2, 63, 64, 65, 191].flatMap((rows) => [
  { params: { rows, sourceRows: 1 } },
  { params: { rows, sourceRows: 5 } },
]);
