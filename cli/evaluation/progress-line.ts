// The progress of an evaluation as a line of text: how much is done, the score so far, and the time left. A terminal has it beside a bar; a
// log, which keeps what is written, gets a line now and then.
//
// The time left does not jump: tasks end in bunches, several rows at a time, so rows that are being decoded count as half done, and the end
// that is expected moves to each new estimate by a part of the way only.

import type { Bar, Terminal } from "../terminal.ts";
import type { EvaluationProgress, WaysProgress } from "./run.ts";

/** Lines of a log are at least this far apart. */
const LOG_MILLISECONDS = 30_000;
/** Ways whose scores a line has room for. */
const MOST_SCORES = 6;

/** Estimates when a run will end. */
export class TimeLeft {
  readonly #rows: number;
  #begin: number | undefined;
  #seen = 0;
  #end: number | undefined;

  /** @param rows texts that are decoded at a time */
  constructor(rows: number) {
    this.#rows = rows;
  }

  /** Milliseconds left at a time, both of any clock; undefined while it is too early to tell. */
  at({ done, total, resumed }: EvaluationProgress, now: number): number | undefined {
    this.#begin ??= now;
    const elapsed = now - this.#begin;
    const [fresh, left] = [done - resumed, total - done];
    if (left === 0) return 0;
    if (fresh < Math.min(this.#rows, Math.max(3, (total - resumed) / 10))) return undefined;
    const halves = Math.min(this.#rows, left) / 2;
    const end = now + (elapsed / (fresh + halves)) * (left - halves);
    const step = now - this.#seen;
    this.#end = this.#end === undefined ? end : this.#end + (end - this.#end) * (step / (step + elapsed / 3));
    this.#seen = now;
    return Math.max(0, this.#end - now);
  }
}

/** A time that is left, in steps as coarse as it is sure: `45 s`, `3 min 15 s`, `42 min`, `2 h 25 min`. */
export function roughTime(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds <= 57.5) return `${Math.max(5, Math.round(seconds / 5) * 5)} s`;
  if (seconds < 600) {
    const rounded = Math.round(seconds / 15) * 15;
    const rest = rounded % 60;
    return `${Math.floor(rounded / 60)} min${rest === 0 ? "" : ` ${rest} s`}`;
  }
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  const minutes = Math.round(seconds / 300) * 5;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest === 0 ? "" : ` ${rest} min`}`;
}

/** The score so far: of one way passes and their share, of several the share of each in their order, or of the first and the best. */
export function runningScore({ ways, done, passed }: WaysProgress): string {
  const rates = ways.map((way) => (way.done > 0 ? (way.passed / way.done).toFixed(2) : "-"));
  if (ways.length === 1) return done > 0 ? `${passed} passed (${rates[0]})` : "0 passed";
  if (ways.length <= MOST_SCORES) return `passed ${rates.join(" · ")}`;
  const best = rates
    .slice(1)
    .reduce((most, rate) => (rate !== "-" && (most === "-" || rate > most) ? rate : most), "-");
  return `passed ${rates[0]}, at best ${best}`;
}

/** Shows the progress of a run beside a bar, and in a log. */
export function progressShower(
  { terminal, bar, rows, label }: { terminal: Terminal; bar: Bar; rows: number; label?: string },
  clock: () => number = () => performance.now(),
): (progress: WaysProgress) => void {
  const time = new TimeLeft(rows);
  let logged = clock();
  return (progress) => {
    const { done, total } = progress;
    const now = clock();
    const left = time.at(progress, now);
    const ending = left === undefined || done === total ? "" : `, ${roughTime(left)} left`;
    const text = `${label === undefined ? "" : `${label}: `}${done} of ${total}, ${runningScore(progress)}${ending}`;
    bar.update(done, total, text);
    if (terminal.stderr.isTTY === true || now - logged < LOG_MILLISECONDS) return;
    terminal.note(text);
    logged = now;
  };
}
