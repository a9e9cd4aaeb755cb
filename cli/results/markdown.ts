// A report in Markdown, piece by piece.

import type { Interval, TuneResult } from "kedge/anchoring";

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** A table; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "--:"))), ...rest.map(line)].join("\n");
}

/** A command that a reader can run. */
export function command(...lines: readonly string[]): string {
  return ["```sh", ...lines, "```"].join("\n");
}

/** 0.123 -> `12.3 %`. */
export function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)} %`;
}

/** Bytes in the unit that suits them, binary. */
export function bytes(count: number): string {
  if (count < 1 << 20) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / (1 << 20)).toFixed(2)} MiB`;
}

/** An interval: `0.972 to 0.999`. */
export function intervalText({ low, high }: Interval): string {
  return `${low.toFixed(3)} to ${high.toFixed(3)}`;
}

/** What the search for a strength came to on the tasks that it did not use. */
export function heldText({ strength, held, heldPlain, gain, gainInterval }: TuneResult): string {
  const plain = `${heldPlain.passed} passed (${heldPlain.rate.toFixed(3)}; 95 %: ${intervalText(heldPlain.interval)})`;
  if (strength === 1) return `It is the plain model: on the ${held.tasks} tasks not used for tuning, ${plain}.`;
  const verdict =
    gainInterval.low <= 0 && gainInterval.high >= 0
      ? "The interval holds 0: the tuned strength does not measurably help this model on these tasks."
      : `The gain is ${gain > 0 ? "above" : "below"} zero.`;
  return `On the ${held.tasks} tasks not used for tuning: ${held.passed} passed (${held.rate.toFixed(3)}; 95 %: ${intervalText(held.interval)}); of the plain model, ${plain}.
The gain is ${gain >= 0 ? "+" : ""}${gain.toFixed(3)} (95 %: ${intervalText(gainInterval)}). ${verdict}`;
}
