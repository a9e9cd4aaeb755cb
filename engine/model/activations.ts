// The tensors of a step: its ports, which the host writes and reads, and the activations, which only the kernels use.
// Each tensor is created once and grows when a step has more rows than any before.

import type { ModelConfig } from "../../loaders/index.ts";
import { RANGE_WORDS } from "../cache/store.ts";
import type { Device, Tensor } from "../devices/device.ts";
import { VectorTable } from "./vector-table.ts";

/** The tensors that the host writes before the forward pass and reads after it. */
export interface Ports {
  /** [rows]; numbers from vocabSize on stand for rows of the table of vectors */
  readonly tokens: Tensor;
  /** [rows] */
  readonly positions: Tensor;
  /** [rows, rotaryDims / 2, 2]: cos and sin */
  readonly rotation: Tensor | undefined;
  /** [lists, rows]: where the row's key and value are stored */
  readonly slots: Tensor;
  /** [lists, rows, 4]: begin, end, position, mark */
  readonly ranges: Tensor;
  /** [*, dim]: see vector-table.ts */
  readonly vectors: Tensor;
  /** [outputs]: the rows whose logits are wanted */
  readonly outputRows: Tensor;
  /** [outputs]: tokens whose log-probability is wanted */
  readonly targets: Tensor;
  /** [outputs]: the largest logit's token */
  readonly best: Tensor;
  /** [outputs] */
  readonly logProbs: Tensor;
}

/** The sizes of a step that tensors grow with: rows, outputs, choices (choices.ts), and rows · columns of the patterns that it computes. */
export type Unit = "rows" | "outputs" | "choices" | "patternCells";
const UNITS: readonly Unit[] = ["rows", "outputs", "choices", "patternCells"];
/** The counts that a step needs memory for; `choices` is 0 in steps that combine nothing, `patternCells` without patterns. */
export type Room = Readonly<Record<Unit, number>>;
interface Allocation {
  readonly tensor: Tensor;
  readonly unit: Unit;
  /** numbers per row, output, choice or pattern cell */
  readonly width: number;
}

export class Activations {
  readonly ports: Ports;
  readonly vectors: VectorTable;
  readonly #device: Device;
  readonly #allocations = new Map<string, Allocation>();
  /** units there is room for */
  readonly #room: Record<Unit, number>;

  constructor(device: Device, config: ModelConfig, rows: number) {
    this.#device = device;
    this.#room = { rows, outputs: 1, choices: 0, patternCells: 0 };
    const words = (name: string, unit: Unit, width = 1) => this.#make(name, unit, width, "u32");
    this.vectors = new VectorTable(device, config.dim);
    this.ports = {
      tokens: words("tokens", "rows"),
      positions: words("positions", "rows"),
      rotation: config.rotary ? this.rows("rotation", config.rotary.dims) : undefined,
      slots: words("slots", "rows", config.layers),
      ranges: words("ranges", "rows", config.layers * RANGE_WORDS),
      vectors: this.vectors.tensor,
      outputRows: words("outputRows", "outputs"),
      targets: words("targets", "outputs"),
      best: words("best", "outputs"),
      logProbs: this.outputs("logProbs", 1),
    };
  }

  /** [rows, width] */
  rows(name: string, width: number): Tensor {
    return this.#make(name, "rows", width, "f32");
  }

  /** [outputs, width] */
  outputs(name: string, width: number): Tensor {
    return this.#make(name, "outputs", width, "f32");
  }

  /** [outputs, width], whole numbers */
  outputWords(name: string, width: number): Tensor {
    return this.#make(name, "outputs", width, "u32");
  }

  /** [choices, vocabSize]: combined logits */
  combined(vocabSize: number): Tensor {
    return this.#make("combined", "choices", vocabSize, "f32");
  }

  /** [choices, width], whole numbers */
  choiceWords(name: string, width: number): Tensor {
    return this.#make(name, "choices", width, "u32");
  }

  /** [rows, columns]: a layer's attention summed over heads, read back for policies */
  attentionSums(layer: number): Tensor {
    return this.#make(`attentionSums.${layer}`, "patternCells", 1, "f32");
  }

  /** [rows]: the norms of a layer's new keys, read back for policies */
  keyNorms(layer: number): Tensor {
    return this.rows(`keyNorms.${layer}`, 1);
  }

  /** `width` numbers of f32 for each unit */
  make({ name, unit, width }: Readonly<{ name: string; unit: Unit; width: number }>): Tensor {
    return this.#make(name, unit, width, "f32");
  }

  /** Makes room for a step. */
  reserve(room: Room): void {
    for (const unit of UNITS) {
      if (room[unit] <= this.#room[unit]) continue;
      // Patterns grow with every token: by half, so that not every token makes tensors anew.
      this.#refit(unit, unit === "patternCells" ? Math.max(room[unit], Math.ceil(this.#room[unit] * 1.5)) : room[unit]);
    }
  }

  /** Gives back what is beyond this room: what a large step needed. */
  shrink(room: Room): void {
    for (const unit of UNITS) {
      if (room[unit] < this.#room[unit]) this.#refit(unit, room[unit]);
    }
  }

  dispose(): void {
    for (const { tensor } of this.#allocations.values()) this.#device.destroy(tensor);
    this.#allocations.clear();
    this.vectors.dispose();
  }

  #refit(unit: Unit, count: number): void {
    for (const held of this.#allocations.values()) {
      if (held.unit === unit) this.#device.resize(held.tensor, Math.max(1, count * held.width));
    }
    this.#room[unit] = count;
  }

  #make(name: string, unit: Unit, width: number, type: "f32" | "u32"): Tensor {
    const held = this.#allocations.get(name);
    if (held) return held.tensor;
    const length = Math.max(1, this.#room[unit] * width);
    const tensor = this.#device.createTensor(name, type, length, "activations");
    this.#allocations.set(name, { tensor, unit, width });
    return tensor;
  }
}
