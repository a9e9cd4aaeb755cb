// The tensors that a step writes, fills and reads: its ports (what goes in and comes out) and the activations in between.
// Each is made once for so many rows and grows when a step has more.

import type { ModelConfig } from "../../loaders/index.ts";
import { RANGE_WORDS } from "../cache/store.ts";
import type { Device, Tensor } from "../devices/device.ts";
import { VectorTable } from "./vector-table.ts";

/** What a step writes before, and reads after, the forward pass. */
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

/** What a step has a number of: rows, outputs, and rows · columns of the patterns that it makes. */
export type Unit = "rows" | "outputs" | "patternCells";
const UNITS: readonly Unit[] = ["rows", "outputs", "patternCells"];
/** What a step needs room for; `patternCells` is rows · columns of the patterns it makes, 0 for none. */
export type Room = Readonly<Record<Unit, number>>;
interface Held {
  readonly tensor: Tensor;
  readonly unit: Unit;
  /** numbers per row, output or pattern cell */
  readonly width: number;
}

export class Activations {
  readonly ports: Ports;
  readonly vectors: VectorTable;
  readonly #device: Device;
  readonly #held = new Map<string, Held>();
  /** units there is room for */
  readonly #room: Record<Unit, number>;

  constructor(device: Device, config: ModelConfig, rows: number) {
    this.#device = device;
    this.#room = { rows, outputs: 1, patternCells: 0 };
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
    for (const { tensor } of this.#held.values()) this.#device.destroy(tensor);
    this.#held.clear();
    this.vectors.dispose();
  }

  #refit(unit: Unit, count: number): void {
    this.#room[unit] = count;
    for (const held of this.#held.values()) {
      if (held.unit === unit) this.#device.resize(held.tensor, Math.max(1, this.#room[unit] * held.width));
    }
  }

  #make(name: string, unit: Unit, width: number, type: "f32" | "u32"): Tensor {
    const held = this.#held.get(name);
    if (held) return held.tensor;
    const length = Math.max(1, this.#room[unit] * width);
    const tensor = this.#device.createTensor(name, type, length, "activations");
    this.#held.set(name, { tensor, unit, width });
    return tensor;
  }
}
