// The arithmetic of goals: a ratio of medians, held to its bound.

import type { Goal, Work } from "./works.ts";

/** The figures of a work by entrant; those that could not run are absent. */
export type Medians = ReadonlyMap<string, number>;

/** What became of a goal. */
export interface Verdict {
  readonly goal: Goal;
  /** who was the best of the others; undefined where our value stands alone or none of them ran */
  readonly against: string | undefined;
  /** ours over theirs, or our value alone; undefined where a side did not run */
  readonly reached: number | undefined;
  /** undefined where nothing was reached */
  readonly isMet: boolean | undefined;
}

/** The entrant with the best median among `names`; undefined where none of them ran. */
export function bestOf(names: readonly string[], medians: Medians, isLessBetter: boolean): string | undefined {
  const present = names.filter((name) => medians.has(name));
  const sign = isLessBetter ? 1 : -1;
  return present.sort((a, b) => sign * (medians.get(a)! - medians.get(b)!))[0];
}

/** Holds a goal to what was measured. */
export function judge(goal: Goal, medians: Medians, isLessBetter: boolean): Verdict {
  const ours = medians.get(goal.ours);
  const against = bestOf(goal.others, medians, isLessBetter);
  const isAlone = goal.others.length === 0;
  const theirs = against === undefined ? undefined : medians.get(against);
  if (ours === undefined || (!isAlone && theirs === undefined))
    return { goal, against, reached: undefined, isMet: undefined };
  const reached = isAlone ? ours : ours / theirs!;
  const isMet = goal.bound === "at least" ? reached >= goal.value : reached <= goal.value;
  return { goal, against, reached, isMet };
}

/** All goals of a work. */
export function judgeWork({ goals, isLessBetter }: Work, medians: Medians): readonly Verdict[] {
  return goals.map((goal) => judge(goal, medians, isLessBetter));
}
