// One number for how far loading has come, over phases that take turns or overlap: weights are converted while they are downloaded,
// and nothing is downloaded that is at hand already.

/** The progress of loading a model. */
export interface LoadProgress {
  readonly phase: "download" | "files" | "weights" | "tuning" | "kernels";
  /** bytes of "download" and "weights", a count otherwise */
  readonly done: number;
  readonly of: number;
  /** the current tensor or file */
  readonly detail: string;
  /** how far loading has come over all phases, 0..1: it never falls, and ends at 1 */
  readonly fraction: number;
}

/** Tells of a step of loading. */
export type ProgressReport = (phase: LoadProgress["phase"], done: number, of: number, detail: string) => void;

/** Tells a listener of steps, each with the fraction that is done; of none after the fraction is 1. */
export function progressReporter(onProgress: ((progress: LoadProgress) => void) | undefined): ProgressReport {
  const fraction = new LoadFraction();
  let reached = 0;
  return (phase, done, of, detail) => {
    if (reached === 1) return;
    const step = { phase, done, of, detail };
    reached = fraction.after(step);
    onProgress?.({ ...step, fraction: reached });
  };
}

/** The part of the whole that reading configuration and tokenizer takes; downloading and placing weights; then tuning and kernels. */
const FILES = 0.02;
const WEIGHTS = 0.9;
const TUNING = 0.95;
/** Of the time for weights, what their download takes where there is one. */
const DOWNLOAD = 0.7;

/** Computes the fraction that is done, from 0 to 1; it never falls. */
class LoadFraction {
  #fraction = 0;
  #placed = 0;
  #isTuned = false;
  /** bytes of the weights' files that are downloaded, by name */
  readonly #files = new Map<string, { readonly done: number; readonly of: number }>();

  /** The fraction after this step. */
  after({ phase, done, of, detail }: Omit<LoadProgress, "fraction">): number {
    const share = of > 0 ? Math.min(1, done / of) : 1;
    this.#fraction = Math.max(this.#fraction, this.#reached(phase, share, { done, of, detail }));
    return this.#fraction;
  }

  #reached(
    phase: LoadProgress["phase"],
    share: number,
    { done, of, detail }: Pick<LoadProgress, "done" | "of" | "detail">,
  ): number {
    switch (phase) {
      case "files":
        return FILES * share;
      case "download":
        if (!detail.endsWith(".safetensors")) return 0;
        this.#files.set(detail, { done, of });
        return this.#ofWeights();
      case "weights":
        this.#placed = share;
        return this.#ofWeights();
      case "tuning":
        this.#isTuned = true;
        return between(WEIGHTS, TUNING, share);
      case "kernels":
        return between(this.#isTuned ? TUNING : WEIGHTS, 1, share);
    }
  }

  #ofWeights(): number {
    const downloaded = this.#downloaded();
    const share = downloaded === null ? this.#placed : DOWNLOAD * downloaded + (1 - DOWNLOAD) * this.#placed;
    return between(FILES, WEIGHTS, share);
  }

  /** The share of all shards; those that were not begun are taken to be as long as the others. Null where nothing is downloaded. */
  #downloaded(): number | null {
    if (this.#files.size === 0) return null;
    let [loaded, total, shards] = [0, 0, 1];
    for (const [name, { done, of }] of this.#files) {
      loaded += done;
      total += of;
      shards = Math.max(shards, Number(/-of-(\d+)\.safetensors$/.exec(name)?.[1] ?? 1));
    }
    return loaded / Math.max(total, (total / this.#files.size) * shards);
  }
}

function between(begin: number, end: number, share: number): number {
  return begin + (end - begin) * share;
}
