// Counts the tokens that a dense cache would hold: those fed to open sequences. A past that forks share counts once.

/** Consecutive tokens, and the number of sequences that have them in their past. */
interface Run {
  readonly tokens: number;
  readonly holders: number;
}

/** Counts the tokens fed to sequences. A sequence is an object, compared by identity. */
export class FedTokens {
  #total = 0;
  /** by sequence, oldest first; sequences that share a past share its runs */
  readonly #runs = new Map<object, Run[]>();

  /** Tokens of all sequences. */
  get total(): number {
    return this.#total;
  }

  /** Tokens of these sequences; a past that they share counts once. */
  totalOf(sequences: Iterable<object>): number {
    const runs = new Set<Run>();
    for (const sequence of sequences) for (const run of this.#runs.get(sequence) ?? []) runs.add(run);
    let total = 0;
    for (const { tokens } of runs) total += tokens;
    return total;
  }

  /** Counts tokens fed to a sequence. */
  add(sequence: object, tokens: number): void {
    this.#total += tokens;
    const runs = this.#runsOf(sequence);
    const last = runs.at(-1);
    if (last?.holders === 1) runs[runs.length - 1] = { tokens: last.tokens + tokens, holders: 1 };
    else runs.push({ tokens, holders: 1 });
  }

  /** Starts a sequence with the past of another. */
  fork(origin: object, copy: object): void {
    const runs = this.#runsOf(origin);
    for (const run of [...runs]) this.#replace(run, [{ ...run, holders: run.holders + 1 }]);
    this.#runs.set(copy, [...runs]);
  }

  /** Removes the newest tokens of a sequence. */
  drop(sequence: object, tokens: number): void {
    const runs = this.#runsOf(sequence);
    for (let left = tokens; left > 0;) {
      const last = runs.at(-1)!;
      const dropped = Math.min(left, last.tokens);
      const { holders } = last;
      const kept = { tokens: last.tokens - dropped, holders };
      const gone = { tokens: dropped, holders };
      if (kept.tokens > 0) this.#replace(last, [kept, gone]);
      this.#letGo(runs, kept.tokens > 0 ? gone : last);
      left -= dropped;
    }
  }

  /** Removes a sequence. */
  close(sequence: object): void {
    const runs = this.#runsOf(sequence);
    while (runs.length > 0) this.#letGo(runs, runs.at(-1)!);
    this.#runs.delete(sequence);
  }

  #runsOf(sequence: object): Run[] {
    const runs = this.#runs.get(sequence) ?? [];
    this.#runs.set(sequence, runs);
    return runs;
  }

  /** Removes the last run of a sequence. */
  #letGo(runs: Run[], run: Run): void {
    runs.pop();
    if (run.holders === 1) this.#total -= run.tokens;
    else this.#replace(run, [{ ...run, holders: run.holders - 1 }]);
  }

  /** Replaces a run by others in all sequences that have it. */
  #replace(run: Run, by: readonly Run[]): void {
    for (const runs of this.#runs.values()) {
      const at = runs.indexOf(run);
      if (at >= 0) runs.splice(at, 1, ...by);
    }
  }
}
