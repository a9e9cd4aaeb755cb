// The tensors of a checkpoint of very many: it keeps which file each is in, and leaves the rest to the files.

import { LargeMap } from "./large-values.ts";
import type { TensorInfo } from "./tensor-info.ts";

interface PlacedTensor extends TensorInfo {
  readonly file: string;
}

/** The tensors of several files, each with its file. */
export class ShardTable implements ReadonlyMap<string, PlacedTensor> {
  readonly #files: ReadonlyMap<string, { readonly tensors: ReadonlyMap<string, TensorInfo> }>;
  readonly #places = new LargeMap<string>();

  constructor(files: ReadonlyMap<string, { readonly tensors: ReadonlyMap<string, TensorInfo> }>) {
    this.#files = files;
  }

  get size(): number {
    return this.#places.size;
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  get(name: string): PlacedTensor | undefined {
    const file = this.#places.get(name);
    return file === undefined ? undefined : { ...this.#files.get(file)!.tensors.get(name)!, file };
  }

  /** Adds a tensor of one of the files. */
  set(name: string, { file }: PlacedTensor): this {
    this.#places.set(name, file);
    return this;
  }

  forEach(work: (info: PlacedTensor, name: string, map: ReadonlyMap<string, PlacedTensor>) => void): void {
    for (const [name, info] of this) work(info, name, this);
  }

  keys(): MapIterator<string> {
    return this.#places.keys();
  }

  *values(): MapIterator<PlacedTensor> {
    for (const name of this.keys()) yield this.get(name)!;
  }

  *entries(): MapIterator<[string, PlacedTensor]> {
    for (const name of this.keys()) yield [name, this.get(name)!];
  }

  [Symbol.iterator](): MapIterator<[string, PlacedTensor]> {
    return this.entries();
  }
}
