// How much script kedge is to a page: engine, kernels and loaders, as a visitor's browser gets them.

import { expect, test } from "vitest";
import { bundledSize } from "../../bench/comparison/script-size.ts";

/** Gzipped bytes, without WebAssembly, that a browser may load to generate on a device. */
const MOST_BYTES_OF_A_PAGE = { wasm: 85_100, webgpu: 99_200, webgl: 87_600 };
/**
 * The same of all scripts together, those for other devices and rarely used features among them: it holds what there is from growing.
 * 30,000 of them are the tokenizer's, which a page loads with a model; they took the place of a dependency that was not counted. 31,000 are
 * those of the engine of chat templates, which a page loads with a model that has one, in place of another such dependency. 4,100 are what keeps long files and texts from
 * blocking a thread; most of it comes with a file or a tokenizer that needs it. 10,000 are captures, hooks, weights and passes over some layers, which a page loads with its first forward pass. 4,000 combine the rows
 * of contrasts on a device; most of it comes with the first of them.
 */
const MOST_BYTES = 246_100;

test("a page loads what its device needs, and no more than it may", { timeout: 60_000 }, async () => {
  const { gzipBytes, files, pages } = await bundledSize();
  expect(files).toBeGreaterThan(1);
  for (const device of ["wasm", "webgpu", "webgl"] as const) {
    expect(pages[device]).toBeGreaterThan(20_000); // it is all there
    expect(pages[device], device).toBeLessThanOrEqual(MOST_BYTES_OF_A_PAGE[device]);
  }
  expect(gzipBytes).toBeLessThanOrEqual(MOST_BYTES);
});
