// A draft of a program: calls, taps and stages in order, over tensors that are declared but not created yet. `fuse` makes a draft
// shorter; `assemble` creates the tensors that it still uses and counts the calls before each tap and stage.

import type { BufferUse, ParamType, TypedKernel } from "../../kernels/index.ts";
import type { Matrix, Tensor } from "../devices/device.ts";
import type { BuffersOf, Call, Program, ValuesOf } from "../devices/program.ts";
import type { Unit } from "./activations.ts";
import type { Tap } from "./taps.ts";

/** A tensor of f32 that only calls of the draft use: `width` numbers for each unit of a step. */
export interface Declared {
  readonly name: string;
  readonly unit: Unit;
  readonly width: number;
}

/** A buffer of a drafted call. Tensors of the device are visible outside the program, declared ones only through taps. */
export type DraftBuffer = Tensor | Matrix | Declared;
/** A tensor of a draft. */
export type DraftTensor = Tensor | Declared;
/** A call of a draft. */
export type DraftCall = Call<DraftBuffer>;

/** A tap in a draft: the caller reads the tensor there and, if `isEdited`, replaces it. */
export interface DraftTap extends Omit<Tap, "tensor" | "after"> {
  readonly tensor: DraftTensor;
  readonly isEdited: boolean;
}

/** The place of a tap in its tensor: the whole of each row by default. */
export interface TapPlace {
  readonly offset?: number;
  readonly stride?: number;
  /** a pattern over two key sources */
  readonly isDouble?: boolean;
  /** the tensor [rows, dim] that an edit of a tap changes which the host computes (derived-taps.ts) */
  readonly isEdit?: boolean;
}

/** Gives the tap to put into a draft where the forward pass has one by this name; undefined if nobody asked for it. */
export type TapMarker = (name: string, tensor: DraftTensor, place?: TapPlace) => DraftTap | undefined;

/**
 * A point of the recording where a replay may stop and another one begin. Up to it are done: `body` keys and values, `logits` logits,
 * `greedy` the argmax, `scored` the log-probabilities of targets, `topLogits` the top-K logits.
 */
export type Stage = "body" | "logits" | "greedy" | "scored" | "topLogits";

/** One line of a draft. */
export type DraftEntry =
  | { readonly kind: "call"; readonly call: DraftCall }
  | { readonly kind: "tap"; readonly tap: DraftTap }
  | { readonly kind: "stage"; readonly stage: Stage };

/** Tells whether a buffer is declared and not created. */
export function isDeclared(buffer: DraftBuffer): buffer is Declared {
  return "unit" in buffer;
}

/** Records a draft. */
export class Draft {
  readonly entries: DraftEntry[] = [];
  readonly #declared = new Map<string, Declared>();

  /** Declares a tensor, or returns the one of this name. Throws a RangeError for a name that was declared with another shape. */
  declare(name: string, unit: Unit, width: number): Declared {
    const declared = this.#declared.get(name) ?? { name, unit, width };
    if (declared.unit !== unit || declared.width !== width) {
      throw new RangeError(
        `tensor "${name}" was declared as [${declared.unit}, ${declared.width}]; it cannot be [${unit}, ${width}]`,
      );
    }
    this.#declared.set(name, declared);
    return declared;
  }

  /** Appends a call. The compiler checks buffers and parameters against the kernel. */
  call<B extends Record<string, BufferUse>, P extends Record<string, ParamType>>(
    kernel: TypedKernel<B, P>,
    label: string,
    buffers: BuffersOf<B, DraftTensor>,
    params: ValuesOf<P>,
  ): void {
    this.entries.push({ kind: "call", call: { kernel, label, buffers, params } });
  }

  addTap(tap: DraftTap): void {
    this.entries.push({ kind: "tap", tap });
  }

  stage(stage: Stage): void {
    this.entries.push({ kind: "stage", stage });
  }
}

/** A program over the device's tensors, with the number of calls before each tap and stage. */
export interface Assembled {
  readonly program: Program;
  readonly taps: readonly Tap[];
  readonly stages: ReadonlyMap<Stage, number>;
}

/** Creates the declared tensors that occur in a draft, each once, and returns the program. */
export function assemble(
  label: string,
  entries: readonly DraftEntry[],
  make: (declared: Declared) => Tensor,
): Assembled {
  const made = new Map<Declared, Tensor>();
  const tensorOf = (declared: Declared): Tensor => {
    const tensor = made.get(declared) ?? make(declared);
    made.set(declared, tensor);
    return tensor;
  };
  const calls: Call[] = [];
  const taps: Tap[] = [];
  const stages = new Map<Stage, number>();
  for (const entry of entries) {
    if (entry.kind === "stage") {
      stages.set(entry.stage, calls.length);
    } else if (entry.kind === "tap") {
      const { isEdited: _isEdited, tensor, ...tap } = entry.tap;
      taps.push({ ...tap, tensor: isDeclared(tensor) ? tensorOf(tensor) : tensor, after: calls.length });
    } else {
      const buffers = Object.entries(entry.call.buffers).map(
        ([name, buffer]) => [name, buffer && isDeclared(buffer) ? tensorOf(buffer) : buffer] as const,
      );
      calls.push({ ...entry.call, buffers: Object.fromEntries(buffers) });
    }
  }
  return { program: { label, calls }, taps, stages };
}
