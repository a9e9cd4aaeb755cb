// How threads share the panels of many rows: each takes the next portion when it is ready for it, chunk of rows after chunk.

import { doneTaking, portionOf, takeNext } from "../../call.as";

/** The portion that `takePanels` took: its chunk's first row, and its panels. */
export let portionRow: u32 = 0;
export let portionBegin: u32 = 0;
export let portionEnd: u32 = 0;

/** Takes a portion of `panels` panels for each `step` of `rows` rows; false, once for each thread, when none is left. */
export function takePanels(rows: u32, step: u32, panels: u32, threads: i32): bool {
  const portion = portionOf(panels, threads);
  const portions = (panels + portion - 1) / portion;
  const next = takeNext();
  portionRow = next / portions * step;
  if (portionRow >= rows) {
    doneTaking(threads);
    return false;
  }
  portionBegin = next % portions * portion;
  portionEnd = min(portionBegin + portion, panels);
  return true;
}
