// An engine as a decoder whose sequences are all opened in one way.

import type { WatchableDecoder } from "../prompt-anchoring/contrast-decoder.ts";
import type { Engine, OpenOptions } from "./engine.ts";

/** This engine, but sequences are opened with these options. */
export function openedDecoder(engine: Engine, options: OpenOptions): WatchableDecoder {
  const last = engine.config.layers - 1;
  return {
    openWatched: (onAttention) => {
      const sequence = engine.open({ ...options, watchedLayers: [last] });
      sequence.onAttention = ({ position, positions, weights }) => {
        const byPosition = new Float32Array(position + 1);
        for (const [key, at] of positions.entries()) byPosition[at] = weights.get(last)![key]!;
        onAttention(position, byPosition);
      };
      return sequence;
    },
    vocabSize: engine.vocabSize,
    contextLength: engine.contextLength,
    open: () => engine.open(options),
    fork: (sequence) => engine.fork(sequence),
    close: (sequence) => engine.close(sequence),
    logits: (feeds, signal) => engine.logits(feeds, signal),
    greedy: (feeds, signal) => engine.greedy(feeds, signal),
    largest: (feeds, choice, signal) => engine.largest(feeds, choice, signal),
    greedyRun: (feeds, steps, signal) => engine.greedyRun(feeds, steps, signal),
  };
}
