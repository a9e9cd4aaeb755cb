// What scores come to: counts, intervals, and whether two ways of decoding the same tasks differ by more than chance.

import { wilsonInterval } from "kedge/anchoring";
import { mcNemar, pText, type PairedTest } from "../../evaluation/scoring.ts";
import { intervalText } from "../markdown.ts";
import type { Passes } from "./study.ts";

/** Below which chance a difference counts as one. */
export const SIGNIFICANCE = 0.05;

/** How many tasks have a score. */
export function judgedCount(passes: Passes): number {
  return passes.filter((passed) => passed !== undefined).length;
}

/** How many tasks pass. */
export function passedCount(passes: Passes): number {
  return passes.filter((passed) => passed === true).length;
}

/** The cells of a score: `78 of 164`, `0.476`, `0.401 to 0.552`. */
export function scoreCells(passes: Passes): [count: string, rate: string, interval: string] {
  const [passed, tasks] = [passedCount(passes), judgedCount(passes)];
  if (tasks === 0) return ["0 of 0", "-", "-"];
  return [`${passed} of ${tasks}`, (passed / tasks).toFixed(3), intervalText(wilsonInterval(passed, tasks))];
}

/** McNemar's test of two ways on the tasks that both have a score for. */
export function paired(first: Passes, second: Passes): PairedTest {
  if (first.length !== second.length)
    throw new RangeError(`the ways have ${first.length} and ${second.length} tasks: wanted the same ones`);
  const both = first.map((passed, index) => [passed, second[index]] as const);
  const judged = both.filter((pair): pair is readonly [boolean, boolean] => !pair.includes(undefined));
  return mcNemar(
    judged.map(([passed]) => passed),
    judged.map(([, passed]) => passed),
  );
}

/** The cells of a comparison: gained, lost, and the chance. */
export function pairedCells({ onlyFirst, onlySecond, pValue }: PairedTest): [gained: string, lost: string, p: string] {
  return [String(onlySecond), String(onlyFirst), pText(pValue)];
}

/** A sentence: `11 gained, 14 lost (McNemar, exact: p = 0.690), which chance explains`. */
export function pairedText(test: PairedTest): string {
  const { onlyFirst, onlySecond, pValue } = test;
  const verdict = isBeyondChance(test) ? "more than chance explains" : "which chance explains";
  return `${onlySecond} gained, ${onlyFirst} lost (McNemar, exact: ${pText(pValue)}), ${verdict}`;
}

/** Whether a difference is one. */
export function isBeyondChance({ pValue }: PairedTest): boolean {
  return pValue < SIGNIFICANCE;
}
