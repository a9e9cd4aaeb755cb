/**
 * How much a run tests. `KEDGE_TEST_EXTENT=full`, which .ci/run sets, is everything. Without it the costly tests of software
 * GPUs and of repetitions take a stated part of their cases, so that `npm test` stays quick; every kernel implementation,
 * family and device is still run. tests/README.md says what is left to CI.
 */

const wanted = process.env["KEDGE_TEST_EXTENT"] ?? "quick";
if (wanted !== "full" && wanted !== "quick") {
  throw new Error(`KEDGE_TEST_EXTENT is "${wanted}": use "full" or "quick"`);
}

/** Whether every case is to be run. */
export const isFullExtent: boolean = wanted === "full";

/**
 * The cases of a list that this run takes: all in full, else each `stride`-th from `offset` on. Lists that
 * several subjects go through begin at different offsets, so that together they still touch every case.
 */
export function extentOf<T>(all: readonly T[], stride: number, offset = 0): readonly T[] {
  return all.filter((_, index) => isFullExtent || index % stride === offset % stride);
}
