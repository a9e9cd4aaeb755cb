// docs/performance.md: what was measured, as Markdown between two marks; the prose around them is written by hand.

import { spreadOf, type Spread } from "kedge/timing";
import { judgeWork, type Medians, type Verdict } from "./goals.ts";
import type { Circumstances, MeasuredEntrant, MeasuredWork, Measurements } from "./measured.ts";
import { WORKS, type Work } from "./works.ts";

/** What is between these lines of the page is written anew. */
export const BEGIN_MARK = "<!-- measured: begin -->";
export const END_MARK = "<!-- measured: end -->";

/** A contender that uses more than this of a core while others work disturbs them. */
const IDLE_LIMIT = 0.05;

const hasRun = ({ values, reason }: MeasuredEntrant): boolean => values.length > 0 && reason === undefined;

/** Medians of those that ran. */
export function mediansOf({ entrants }: MeasuredWork): Medians {
  return new Map(entrants.filter(hasRun).map(({ name, values }) => [name, spreadOf(values).median]));
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ");
const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;

/** A Markdown table; all but the first column are aligned right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  return [line(head), line(head.map((_, column) => (column === 0 ? "---" : "---:"))), ...rows.map(line)];
}

const spreadText = ({ least, most }: Spread, digits: number): string =>
  `${least.toFixed(digits)}–${most.toFixed(digits)}`;

/** One goal as cells: work, what, goal, reached, met or missed. */
function goalRow(work: Work, { goal, against, reached, isMet }: Verdict): readonly string[] {
  const isAlone = goal.others.length === 0;
  const others = against ?? goal.others.join(" or ");
  const what = isAlone ? goal.ours : `${goal.ours} over ${others}`;
  const figure = (value: number): string =>
    isAlone ? `${value.toFixed(work.digits)} ${work.unit}` : `${value.toFixed(2)}x`;
  const sign = goal.bound === "at least" ? "≥" : "≤";
  return [
    work.title,
    what,
    `${sign} ${isAlone ? `${goal.value} ${work.unit}` : `${goal.value}x`}`,
    reached === undefined ? "not measured" : figure(reached),
    isMet === undefined ? "open" : isMet ? "met" : "**missed**",
  ];
}

/** What was measured of a work; nothing where one who took part then no longer does. */
function measuredOf(work: Work, measurements: Measurements): MeasuredWork | undefined {
  const measured = measurements[work.name];
  const isKnown = ({ name }: MeasuredEntrant): boolean => work.entrants.some((entrant) => entrant.name === name);
  return measured?.entrants.every(isKnown) ? measured : undefined;
}

/** The goals of works, met or missed. */
export function goalsTable(works: readonly Work[], measurements: Measurements): readonly string[] {
  const rows = works.flatMap((work) => {
    const measured = measuredOf(work, measurements);
    return judgeWork(work, measured ? mediansOf(measured) : new Map()).map((verdict) => goalRow(work, verdict));
  });
  return markdownTable(["work", "what", "goal", "reached", ""], rows);
}

function circumstancesLine({ date, threads, rounds, ...machine }: Circumstances): string {
  const gigabytes = (machine.memoryBytes / 1e9).toFixed(0);
  return (
    `${date}: kedge ${machine.kedge}, Node ${machine.node}, ${machine.platform}, ${machine.cpu}, ` +
    `${machine.cores} cores, ${gigabytes} GB; ${threads} threads, ${rounds} rounds.`
  );
}

const settingsText = (settings: MeasuredEntrant["settings"]): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name} ${value === true ? "on" : value === false ? "off" : value}`)
    .join(", ");

function entrantRow(work: Work, entrant: MeasuredEntrant, medians: Medians): readonly string[] {
  const { name, values, check, idleShare, reason } = entrant;
  if (!hasRun(entrant)) return [name, "could not run", "", "", reason ?? "no round was measured", ""];
  const spread = spreadOf(values);
  const first = work.entrants.find((one) => medians.has(one.name))!.name;
  const ratio = spread.median / medians.get(first)!;
  const idle =
    idleShare === undefined ? "" : `${(idleShare * 100).toFixed(0)} %${idleShare > IDLE_LIMIT ? " (!)" : ""}`;
  return [
    name,
    spread.median.toFixed(work.digits),
    spreadText(spread, work.digits),
    `${ratio.toFixed(2)}x`,
    check,
    idle,
  ];
}

/** One work: what it is, its figures, the settings of all who took part. */
export function workSection(work: Work, measured: MeasuredWork): readonly string[] {
  const medians = mediansOf(measured);
  const first = work.entrants.find(({ name }) => medians.has(name))?.name ?? "the first";
  const head = ["", `${work.unit}, median`, "least–most", `over ${first}`, "check", "idle CPU"];
  const settings = measured.entrants.filter(({ settings: own }) => Object.keys(own).length > 0);
  return [
    `### ${work.title}`,
    "",
    `${work.about} ${work.isLessBetter ? "Less is better." : "More is better."}`,
    "",
    circumstancesLine(measured.circumstances),
    "",
    ...markdownTable(
      head,
      measured.entrants.map((entrant) => entrantRow(work, entrant, medians)),
    ),
    "",
    "Settings:",
    "",
    ...settings.map(({ name, settings: own }) => `- ${name}: ${settingsText(own)}`),
    "",
  ];
}

/** All tables, as lines. */
export function measuredLines(measurements: Measurements): readonly string[] {
  const sections = WORKS.flatMap((work) => {
    const measured = measuredOf(work, measurements);
    return measured ? workSection(work, measured) : [];
  });
  return ["## Goals", "", ...goalsTable(WORKS, measurements), "", "## Works", "", ...sections];
}

/** The page with new tables between its marks. Throws a RangeError where it does not have both, in order. */
export function withTables(page: string, measurements: Measurements): string {
  const begin = page.indexOf(BEGIN_MARK);
  const end = page.indexOf(END_MARK);
  if (begin === -1 || end < begin) throw new RangeError(`the page lacks the lines ${BEGIN_MARK} and ${END_MARK}`);
  const tables = measuredLines(measurements).join("\n").trimEnd();
  return `${page.slice(0, begin)}${BEGIN_MARK}\n\n${tables}\n\n${page.slice(end)}`;
}
