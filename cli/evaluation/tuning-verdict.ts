// Whether a tuned strength helps, as far as the tasks show.
//
// The strength is chosen on one part of the tasks and tested on the other, once, by McNemar's exact test: having chosen among many strengths
// does not touch that test, so it needs no correction. Only where it shows a gain is a strength named.
//
// Beside it stands a test of the curve on the tasks for tuning: whether its best strength passes more than the plain model by more than the
// best of so many would by chance. If anchoring did nothing, which of a task's outcomes is the plain one would be a coin's toss, the
// same toss for all strengths. So the signs of the tasks' differences are drawn anew many times; of each draw the largest of all strengths'
// z counts, and the chance is the share of draws that reach the largest that was seen (Westfall and Young's maximum of permutations). That is
// exactly the sign test for one strength, and for several an approximation, as far as gains and losses of all of them together are
// equally likely. A correction by the number of strengths alone would be too strict, since neighbors pass nearly the same tasks.

import { seededRandom } from "kedge/kernels";
import { plural } from "../format.ts";
import { mcNemar, pText } from "./scoring.ts";

/** Below it a difference is not chance. */
const SIGNIFICANT = 0.05;
/** The fewest tasks of which the most uneven outcome is not chance: 2 · 0.5^6 < 0.05. */
const FEWEST_TASKS = 6;
const DRAWS = 10_000;
/** The quantile of the normal distribution that leaves 2.5 % on each side. */
const Z = 1.959963984540054;

/** What passed. */
export interface TuningOutcomes {
  /** the strength that the tasks for tuning chose */
  readonly chosen: number;
  /** by strength, whether each task for tuning passed; empty if that is not known */
  readonly tuning: ReadonlyMap<number, readonly boolean[]>;
  /** whether each of the other tasks passed, plainly and with the chosen strength */
  readonly held: { readonly plain: readonly boolean[]; readonly chosen: readonly boolean[] };
}

/** What that shows: plain JSON. */
export interface TuningVerdict {
  readonly helps: boolean;
  /** the best strength; null unless it helps */
  readonly strength: number | null;
  /** tasks that were not used for tuning, on which the chosen strength was tested */
  readonly tasks: number;
  /** the share of them that more were passed with it, and half of its 95 % interval */
  readonly gain: number;
  readonly margin: number;
  readonly gained: number;
  readonly lost: number;
  /** McNemar's, exact, two-sided; null where the plain model was chosen */
  readonly pValue: number | null;
  /** the curve on the tasks for tuning; null where single outcomes are not known */
  readonly curve: CurveTest | null;
  readonly sentence: string;
}

/** Whether a curve rises above the plain model by more than chance. */
export interface CurveTest {
  readonly tasks: number;
  /** strengths besides 1 */
  readonly strengths: number;
  /** of the best of them against the plain model, corrected for being the best of so many */
  readonly pValue: number;
  readonly isFlat: boolean;
}

/** Judges a search. */
export function tuningVerdict({ chosen, tuning, held }: TuningOutcomes): TuningVerdict {
  const tasks = held.plain.length;
  const { onlyFirst: lost, onlySecond: gained, pValue } = mcNemar(held.plain, held.chosen);
  const isPlain = chosen === 1;
  const helps = !isPlain && gained > lost && pValue < SIGNIFICANT;
  const numbers = {
    helps,
    strength: helps ? chosen : null,
    tasks,
    gain: (gained - lost) / tasks,
    margin: isPlain ? 0 : marginOf(gained, lost, tasks),
    gained,
    lost,
    pValue: isPlain ? null : pValue,
    curve: curveTest(tuning),
  };
  return { ...numbers, sentence: sentenceOf(numbers, chosen) };
}

/**
 * Half of the 95 % interval of a difference of paired shares: 1.96 standard errors, with half a task added to each of the four kinds (Agresti and
 * Min, Statistics in Medicine 24 (2005) 729), so that it is not 0 where all tasks agree.
 */
function marginOf(gained: number, lost: number, tasks: number): number {
  const [more, less, all] = [gained + 0.5, lost + 0.5, tasks + 2];
  return (Z * Math.sqrt(more + less - (more - less) ** 2 / all)) / all;
}

/** Tests the best of the strengths against the plain model; null without outcomes of both. */
export function curveTest(tuning: ReadonlyMap<number, readonly boolean[]>): CurveTest | null {
  const plain = tuning.get(1);
  const others = [...tuning].filter(([strength]) => strength !== 1);
  if (!plain || others.length === 0) return null;
  // [strengths, tasks]: 1 gained, -1 lost
  const differences = others.map(([, passed]) => plain.map((before, i) => Number(passed[i]) - Number(before)));
  const scales = differences.map((own) => Math.sqrt(own.filter((difference) => difference !== 0).length));
  const largest = (signs: readonly number[]): number =>
    Math.max(
      ...differences.map((own, s) => {
        let sum = 0;
        for (let i = 0; i < own.length; i++) sum += own[i]! * signs[i]!;
        return scales[s] === 0 ? 0 : sum / scales[s]!;
      }),
    );
  const seen = largest(plain.map(() => 1));
  const random = seededRandom(0);
  let reached = 1; // what was seen is one of the draws
  for (let draw = 0; draw < DRAWS; draw++) {
    if (largest(plain.map(() => (random.integer(2) === 0 ? -1 : 1))) >= seen - 1e-9) reached++;
  }
  const pValue = reached / (DRAWS + 1);
  return { tasks: plain.length, strengths: others.length, pValue, isFlat: pValue >= SIGNIFICANT };
}

function sentenceOf(verdict: Omit<TuningVerdict, "sentence">, chosen: number): string {
  const { helps, tasks, gain, margin, gained, lost, pValue, curve } = verdict;
  const of = plural(tasks, "task");
  if (helps) return `strength ${chosen} helps by ${gain.toFixed(3)} ± ${margin.toFixed(3)} (${of}, ${pText(pValue!)})`;
  const flat =
    curve === null
      ? ""
      : curve.isFlat
        ? `; the curve is flat within chance (${pText(curve.pValue)} for the best of ${plural(curve.strengths, "strength")} on ${plural(curve.tasks, "task")})`
        : `; the curve is not flat (${pText(curve.pValue)} for the best of ${plural(curve.strengths, "strength")} on ${plural(curve.tasks, "task")}), but the other tasks do not confirm it`;
  if (tasks < FEWEST_TASKS)
    return `not shown to help (${of}, too few to show anything: it takes ${FEWEST_TASKS} or more)${flat}`;
  const least = `on ${of} no gain below ${(FEWEST_TASKS / tasks).toFixed(3)} can show`;
  if (pValue === null)
    return `not shown to help (${of}; no strength was judged better than the plain model)${flat}; ${least}`;
  return `not shown to help (${of}, ${pText(pValue)}: ${gained} gained and ${lost} lost at ${chosen})${flat}; ${least}`;
}
