// Words to be changed in memories, in the form in which the leader receives them: runs of [memory, count, then count times (address,
// word)]. Most programs use one memory, and their patches are one run.

/** Collects words to change, in order. */
export class Patches {
  readonly #words: number[] = [];
  /** index of the last run's count */
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

/** Changes the words; `wordsOf` returns all words of a memory. */
export function applyPatches(patches: Uint32Array, wordsOf: (memory: number) => Uint32Array): void {
  for (let at = 0; at < patches.length;) {
    const words = wordsOf(patches[at]!);
    const end = at + 2 + patches[at + 1]! * 2;
    for (at += 2; at < end; at += 2) words[patches[at]! >>> 2] = patches[at + 1]!;
  }
}
