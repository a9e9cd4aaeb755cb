// Comparisons of results in words and as a table.

import { compareResults, ratiosOf, type Comparison } from "./baseline.ts";
import type { KernelResults, KernelRow } from "./results.ts";
import { percentText, timeText } from "./text.ts";

const callOf = ({ device, implementation, format, label, size }: KernelRow): string =>
  `${device}: ${implementation}${format ? ` ${format}` : ""}, ${label} ${size}`;

/** What is worse, a line each, and the verdict. */
export function comparisonText({ compared, regressions, lost }: Comparison): string {
  const slower = regressions.map(
    ({ row, before, after, ratio, allowed }) =>
      `${callOf(row)} takes ` +
      `${timeText(after.median)}, ${ratio.toFixed(2)} times the ${timeText(before.median)} before; ${percentText(allowed - 1)} is noise`,
  );
  const gone = lost.map((row) => `${callOf(row)} has no time any more: ${row.failure ?? "left out"}`);
  const verdict = slower.length + gone.length === 0 ? "none is worse" : `${slower.length + gone.length} are worse`;
  return [...slower, ...gone, `${compared} compared, ${verdict}`].join("\n");
}

const nameOf = ({ kedge, commit, date, machine }: KernelResults): string =>
  `kedge ${kedge}${commit ? ` (${commit})` : ""}, ${date.slice(0, 10)}, ${machine.name}, ${machine.cores} cores, ${machine.host}`;

/** Two whole results side by side: a table of all rows that both have, the largest change first, and the verdict. */
export function compareFiles(before: KernelResults, after: KernelResults): { text: string; isWorse: boolean } {
  const isSameMachine = before.machine.name === after.machine.name && before.machine.cores === after.machine.cores;
  const ratios = ratiosOf(after, before).sort((a, b) => Math.abs(Math.log(b.ratio)) - Math.abs(Math.log(a.ratio)));
  const comparison = compareResults(after, [before], { anyMachine: true });
  const head = [
    `A: ${nameOf(before)}`,
    `B: ${nameOf(after)}`,
    ...(isSameMachine ? [] : ["The machines differ: the ratios compare them as much as the code."]),
    "",
  ];
  if (!comparison) return { text: [...head, "no row of B is in A"].join("\n"), isWorse: false };
  const lines = ratios.map(({ row, before: a, after: b, ratio, isNoise }) => {
    const cells = [callOf(row), timeText(a.median), timeText(b.median), `${ratio.toFixed(2)}${isNoise ? " ≈" : ""}`];
    return `| ${cells.join(" | ")} |`;
  });
  const table = ["| call | A | B | B / A |", "| --- | ---: | ---: | ---: |", ...lines, ""];
  const note = "≈: within the noise of both.";
  const isWorse = comparison.regressions.length + comparison.lost.length > 0;
  return { text: [...head, ...table, note, comparisonText(comparison)].join("\n"), isWorse };
}
