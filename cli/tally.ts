// Compares a tensor with its golden one against a bound. A tensor of several layers is compared layer by layer, each with a bound of
// its own, because the magnitudes of layers differ greatly.
//
// Bounds, as shares of the part's largest magnitude; twice 1e-5 on the f64 reference, which differs from an f32 golden by the
// golden's own rounding, and 1e-4 on devices that compute in f32, as for all of kedge's tests:
//   logits, hidden   the largest magnitude of the golden numbers
//   attention        1: its rows sum to 1
//   token_logprobs   the largest magnitude, but at least 1: a log-probability is a difference of numbers of the logits' size,
//                    and where it is near 0 their rounding is not
// A quantized model differs from a golden one of stored precision by what the format takes away; its share says how much that
// may be: int8 changes trained models by 0.4 to 3 % and random ones by up to 9 %, int4 by 3 % and more (docs/numerics.md). Greedy
// tokens are then told and not judged: one that changes, changes all that follow.
// NaN, and infinities that the golden tensor does not have, are never within a bound.

import type { DeviceName } from "kedge/devices";
import type { QuantizedFormat } from "kedge/kernels";
import type { GoldenKind } from "./golden.ts";

/** The largest difference of a tensor, or of that layer of it which is furthest beyond (or nearest to) its bound. */
export interface Verdict {
  readonly name: string;
  readonly largest: number;
  readonly bound: number;
  readonly ok: boolean;
  /** the first layer that missed, and where the tensor stands in the forward pass with that layer */
  readonly firstMissed: { readonly layer: number; readonly order: number } | undefined;
}

/** Gathers differences of one tensor. */
export class Tally {
  readonly #name: string;
  readonly #kind: GoldenKind;
  readonly #layers: readonly number[];
  readonly #largest: number[];
  readonly #magnitude: number[];

  /** @param layers what its parts are of; none for tensors of the whole model, which are one part */
  constructor(name: string, kind: GoldenKind, layers: readonly number[]) {
    this.#name = name;
    this.#kind = kind;
    this.#layers = layers;
    const parts = Math.max(1, layers.length);
    this.#largest = Array.from({ length: parts }, () => 0);
    this.#magnitude = Array.from({ length: parts }, () => 0);
  }

  /** Compares numbers of a part, as many as there are in both. Throws a RangeError where one has more. */
  add(part: number, got: ArrayLike<number>, want: ArrayLike<number>): void {
    if (got.length !== want.length) {
      throw new RangeError(`${this.#name} has ${want.length} golden numbers for ${got.length} computed ones`);
    }
    let largest = this.#largest[part]!;
    let magnitude = this.#magnitude[part]!;
    for (let i = 0; i < got.length; i++) {
      const wanted = want[i]!;
      const difference = got[i] === wanted ? 0 : Math.abs(got[i]! - wanted);
      // Once it is NaN it stays: the comparison is never true again.
      if (difference > largest || Number.isNaN(difference)) largest = difference;
      if (Number.isNaN(largest)) break;
      magnitude = Math.max(magnitude, Math.abs(wanted));
    }
    this.#largest[part] = Number.isNaN(this.#largest[part]!) ? Number.NaN : largest;
    this.#magnitude[part] = magnitude;
  }

  /**
   * The outcome, by the bounds of a device.
   *
   * @param share of the magnitude; see {@link shareOf}
   * @param layers of the model: tensors of the whole model stand behind them
   */
  verdict(share: number, layers: number): Verdict {
    let worst = { largest: 0, bound: 0, excess: -1 };
    let firstMissed: Verdict["firstMissed"];
    for (const [part, largest] of this.#largest.entries()) {
      const bound = share * scaleOf(this.#kind, this.#magnitude[part]!);
      const isMissed = !(largest <= bound);
      const excess = Number.isNaN(largest) ? Infinity : largest === 0 ? 0 : largest / bound;
      if (excess > worst.excess) worst = { largest, bound, excess };
      const layer = this.#layers[part] ?? layers;
      if (isMissed) firstMissed ??= { layer, order: orderOf(this.#kind, layer) };
    }
    const { largest, bound } = worst;
    return { name: this.#name, largest, bound, ok: firstMissed === undefined, firstMissed };
  }
}

/** Shares for quantized weights, whatever the device: rounding the weights outweighs everything else. */
const QUANTIZED_SHARES = { int8: 0.1, int4: 0.5 } as const satisfies Record<QuantizedFormat, number>;

/** The share of a tensor's magnitude by which a device may be off, with weights as stored or quantized. */
export function shareOf(device: DeviceName, quantized: QuantizedFormat | null): number {
  if (quantized) return QUANTIZED_SHARES[quantized];
  return device === "reference" ? 2e-5 : 1e-4;
}

function scaleOf(kind: GoldenKind, magnitude: number): number {
  if (kind === "attention") return 1;
  return kind === "token_logprobs" ? Math.max(1, magnitude) : magnitude;
}

/** Places in the forward pass: a layer's input, its attention, the next layer's input, ...; behind the last norm the logits. */
function orderOf(kind: GoldenKind, layer: number): number {
  const places = { hidden: 0, attention: 1, logits: 2, token_logprobs: 3 } as const;
  return layer * 4 + places[kind];
}
