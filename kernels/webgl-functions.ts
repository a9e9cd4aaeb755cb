// Functions that several WebGL passes call, and tests of shapes.

import activation from "./activate/activation.gl.js?raw";
import visible from "./attend/webgl/visible.gl.js?raw";
import type { WebGlFunction, WebGlRegion } from "./kernel.ts";
import finish from "./linear/finish.gl.js?raw";
import quotient from "./quotient.gl.js?raw";
import softcapped from "./softcapped.gl.js?raw";

const floats = (count: number) => Array.from({ length: count }, () => "Float" as const);

/** quotient(a, b) = floor(a / b) */
export const quotientFunction: WebGlFunction = { source: quotient, types: floats(2) };
/** activation(code, x) */
export const activationFunction: WebGlFunction = { source: activation, types: ["Integer", "Float"] };
/** softcapped(softcap, v): v with a soft cap; 0 turns it off */
export const softcappedFunction: WebGlFunction = { source: softcapped, types: floats(2) };
/** finish(code, softcap, sum): an activation, then a soft cap; calls `activation` and `softcapped` */
export const finishFunction: WebGlFunction = { source: finish, types: ["Integer", "Float", "Float"] };
/** visible(…): 1 if a row sees a key, else 0; see visible.ts */
export const visibleFunction: WebGlFunction = { source: visible, types: floats(10) };

/** The size of a texel. */
export const TEXEL = 4;
/** True if numbers come in whole texels. */
export function isWhole(...numbers: readonly (number | undefined)[]): boolean {
  return numbers.every((number) => number! % TEXEL === 0);
}

/** Threads that share the columns of a long row. */
const MAX_PARTS = 128;

/** How a row is cut for threads: parts of `span` columns. */
export function partsOf(columns: number): { readonly partCount: number; readonly span: number } {
  const span = Math.max(16, Math.ceil(columns / MAX_PARTS));
  return { partCount: Math.ceil(columns / span), span };
}

/** The regions of a cache that rows write, one for each run of neighboring slots; `shift` leads from a slot to its row. */
export function slotRuns(slots: readonly number[], slotLength: number): WebGlRegion[] {
  const regions: WebGlRegion[] = [];
  for (let first = 0; first < slots.length;) {
    let row = first + 1;
    while (row < slots.length && slots[row] === slots[row - 1]! + 1) row++;
    const slot = slots[first]!;
    regions.push({ begin: slot * slotLength, end: (slot + row - first) * slotLength, shift: first - slot });
    first = row;
  }
  return regions;
}
