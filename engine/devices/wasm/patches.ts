// Words of memories that are to be changed, as the lead is sent them: runs of [memory, count, then count times (address, word)].
// Most programs lie in one memory, and their patches are one run.

/** Lists words in the order in which they are to be changed. */
export class Patches {
  readonly #words: number[] = [];
  /** where the last run's count stands */
  #count = -1;
  #memory = -1;

  add(memory: number, address: number, word: number): void {
    if (memory !== this.#memory) {
      this.#memory = memory;
      this.#count = this.#words.push(memory, 0) - 1;
    }
    this.#words[this.#count]!++;
    this.#words.push(address, word);
  }

  build(): Uint32Array {
    return Uint32Array.from(this.#words);
  }
}

/** Changes the words; `wordsOf` is all of a memory. */
export function applyPatches(patches: Uint32Array, wordsOf: (memory: number) => Uint32Array): void {
  for (let at = 0; at < patches.length;) {
    const words = wordsOf(patches[at]!);
    const end = at + 2 + patches[at + 1]! * 2;
    for (at += 2; at < end; at += 2) words[patches[at]! >>> 2] = patches[at + 1]!;
  }
}
