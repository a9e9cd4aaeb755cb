// How much script kedge is to a page: engine, kernels and loaders, as a visitor's browser gets them.

import { expect, test } from "vitest";
import { bundledSize } from "../bench/comparison/script-size.ts";

/**
 * Bytes, gzipped and without WebAssembly, that a page's scripts may take, those that are loaded only when a device is asked for
 * among them. It holds what there is from growing: 90 kB is the goal.
 */
const MOST_BYTES = 140_000;

test("a page's scripts are at most 140 kB", { timeout: 60_000 }, async () => {
  const { gzipBytes, files } = await bundledSize();
  expect(files).toBeGreaterThan(1);
  expect(gzipBytes).toBeGreaterThan(20_000); // it is all there
  expect(gzipBytes).toBeLessThanOrEqual(MOST_BYTES);
});
