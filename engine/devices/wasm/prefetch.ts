// Whether implementations that prefetch weights are faster on this processor. A core whose hardware predicts streams well is slowed by
// software prefetch (1.6 times on Zen 5); one that does not waits for memory without it. So the device times both, on the first
// program that reads more quantized weights than caches hold, with tensors made for this.

import { isQuantized, type WasmImplementation } from "../../../kernels/index.ts";
import type { Tensor, TensorRole } from "../device.ts";
import type { Call, Program } from "../program.ts";

/** Most and fewest bytes of matrices that are timed; fewer stay in caches. */
const MOST_BYTES = 48 * 2 ** 20;
const LEAST_BYTES = 12 * 2 ** 20;
const ROUNDS = 4;
/** Prefetch is used if it takes at most 95 % of the time without. */
const WORTH = 0.95;

/** A program of one-row calls on quantized matrices of `program`, and the tensors made for it; undefined if they are too few. */
export function streamOf(
  program: Program,
  createTensor: (label: string, type: "f32", length: number, role: TensorRole) => Tensor,
): { readonly program: Program; readonly tensors: readonly Tensor[] } | undefined {
  const label = "choosing how to read weights";
  const chosen: Call[] = [];
  const lengths: Record<string, number> = {};
  let bytes = 0;
  for (const { kernel, buffers, params } of program.calls) {
    const names = Object.keys(kernel.buffers);
    const matrices = names.flatMap((name) => {
      const buffer = buffers[name];
      return buffer && "columns" in buffer && isQuantized(buffer.format) ? [[name, buffer] as const] : [];
    });
    const numbers = Object.entries({ ...params, rows: 1 }).filter((entry): entry is [string, number] => {
      return typeof entry[1] === "number";
    });
    if (matrices.length === 0 || params["rows"] === undefined || numbers.length < Object.keys(params).length) continue;
    if (!kernel.implementations.some((one) => "wasm" in one && one.isPrefetching === true)) continue;
    const sizes = kernel.sizes(Object.fromEntries(numbers));
    for (const name of names) {
      if (kernel.buffers[name] === "read" || kernel.buffers[name] === "write") {
        lengths[name] = Math.max(lengths[name] ?? 0, sizes[name]!);
      }
    }
    chosen.push({ kernel, label, buffers: Object.fromEntries(matrices), params: Object.fromEntries(numbers) });
    bytes += matrices.reduce((sum, [, { byteLength }]) => sum + byteLength, 0);
    if (bytes > MOST_BYTES) break;
  }
  if (bytes < LEAST_BYTES) return undefined;
  const tensors = Object.fromEntries(
    Object.entries(lengths).map(([name, length]) => [name, createTensor(label, "f32", length, "activations")]),
  );
  const calls = chosen.map((call) => ({ ...call, buffers: { ...ownOf(call, tensors), ...call.buffers } }));
  return { program: { label, calls }, tensors: Object.values(tensors) };
}

/** The tensors that a call's kernel must have. */
function ownOf({ kernel }: Call, tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(kernel.buffers).flatMap(([name, use]) =>
      use === "read" || use === "write" ? [[name, tensors[name]!] as const] : [],
    ),
  );
}

/** The rank of implementations (see QualifyOptions) that puts those which prefetch last, or else first. */
export function prefetchRank(isLast: boolean): (implementation: WasmImplementation) => number {
  return ({ isPrefetching = false }) => (isPrefetching === isLast ? 1 : 0);
}

/** Times two runs by turns, without the first round; true if the second takes less than 95 % of the time of the first. */
export async function isSecondWorth(
  runs: readonly [() => Promise<unknown>, () => Promise<unknown>],
  now: () => number = () => performance.now(),
): Promise<boolean> {
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [i, run] of runs.entries()) {
      const begin = now();
      await run();
      if (round > 0) least[i] = Math.min(least[i]!, now() - begin);
    }
  }
  return least[1]! < WORTH * least[0]!;
}
