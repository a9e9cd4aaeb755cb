// Finds matches of a compiled pattern by backtracking, in the order in which Oniguruma tries, with a count of its steps: JavaScript's
// own regular expressions cannot be stopped. A search that takes long remembers what it has tried, an instruction at a
// place, and tries it once (as RE2's "bit state" does): its time is then the product of pattern and text at most. Patterns with
// backreferences, or that repeat what may be empty, cannot remember; they, too, end at the limit of steps.

import { UnsupportedError } from "../errors.ts";
import type { Cursor, Pattern } from "./pattern-cursor.ts";
import type { Instruction, PatternProgram } from "./pattern-program.ts";
import { widthAt } from "./pieces.ts";

/** Steps of a walk over a text: some, and so many for each of its code units. */
const FREE_STEPS = 1_000_000;
const STEPS_PER_UNIT = 500;
/** Steps from one place before the search remembers. */
const STEPS_UNREMEMBERED = 256;
/** The most that it remembers. */
const MAX_REMEMBERED = 1 << 22;
/** Steps of a walk between two pauses. */
const STEPS_PER_PAUSE = 300_000;

type Saved = Readonly<Record<string, readonly [begin: number, end: number]>>;

/** A place to go back to; `to` is where a run of characters begins (greedy) or must end (lazy), -1 for a plain one. */
interface Choice {
  readonly pc: number;
  at: number;
  readonly to: number;
  readonly saved: Saved;
  readonly rounds: readonly number[];
}

/** The pattern of a program. `described`: what messages call it. */
export function matcherOf(program: PatternProgram, described: string): Pattern {
  return {
    find(text, cursor, budget, spans) {
      const search = new Search(program, text, cursor, described);
      const pauseAt = search.steps + STEPS_PER_PAUSE;
      for (let count = 0; count < budget && search.steps < pauseAt;) {
        if (cursor.at > text.length) return true;
        const begin = cursor.at;
        const end = search.from(begin);
        if (end < 0) {
          cursor.at = Math.max(begin + widthAt(text, begin), search.skipTo);
          continue;
        }
        search.forget();
        if (begin === end && end === cursor.lastEnd) {
          cursor.at = end + widthAt(text, end);
          continue;
        }
        spans.push(begin, end);
        count++;
        cursor.at = cursor.lastEnd = end;
      }
      return false;
    },
  };
}

function widthBefore(text: string, at: number): number {
  return at > 1 ? widthAt(text, at - 2) : 1;
}

/** Searches one text. */
class Search {
  /** of the whole walk so far */
  steps: number;
  /** where the next match can begin at the earliest, if the last search found none */
  skipTo = 0;
  readonly #program: PatternProgram;
  readonly #text: string;
  readonly #cursor: Cursor;
  readonly #described: string;
  readonly #most: number;
  /** instruction · (text.length + 1) + place of what was tried, while the search remembers */
  #tried: Set<number> | undefined;
  #rememberAt = Infinity;
  #saved: Saved = {};
  #rounds: readonly number[] = [];

  constructor(program: PatternProgram, text: string, cursor: Cursor, described: string) {
    this.#program = program;
    this.#text = text;
    this.#cursor = cursor;
    this.#described = described;
    this.#most = FREE_STEPS + STEPS_PER_UNIT * text.length;
    this.steps = cursor.steps ?? 0;
  }

  /** The end of the match that begins at a place, or -1. */
  from(begin: number): number {
    this.#rememberAt = this.#program.canRemember && !this.#tried ? this.steps + STEPS_UNREMEMBERED : Infinity;
    this.#saved = {};
    this.#rounds = [];
    this.skipTo = 0;
    const end = this.#run(0, begin, -1);
    this.#cursor.steps = this.steps;
    return end;
  }

  /** Forgets what was tried: after a match, places are tried anew. */
  forget(): void {
    this.#tried = undefined;
  }

  #step(): void {
    if (++this.steps > this.#most) {
      throw new UnsupportedError(
        `${this.#described} takes more than ${this.#most} steps for a text of ${this.#text.length} characters: its repetitions can be matched in too many ways`,
      );
    }
    if (this.steps > this.#rememberAt) {
      this.#rememberAt = Infinity;
      this.#tried = new Set();
    }
  }

  /** Runs a part of the program up to its end; gives the place there, which must be `wanted` unless that is -1, or -1. */
  #run(first: number, begin: number, wanted: number): number {
    const { code } = this.#program;
    const text = this.#text;
    const choices: Choice[] = [];
    const isInner = first > 0;
    /** what an inner program tried before it succeeded, or on its way to one place, may be tried again */
    const marks: number[] = [];
    const places = text.length + 1;
    const isTried = (pc: number, at: number): boolean => {
      if (!this.#tried) return false;
      const place = pc * places + at;
      if (this.#tried.has(place)) return true;
      if (this.#tried.size < MAX_REMEMBERED) this.#tried.add(place);
      if (isInner) marks.push(place);
      return false;
    };
    const unmark = (): void => {
      for (const place of marks) this.#tried?.delete(place);
    };
    const choose = (pc: number, at: number, to = -1): void => {
      choices.push({ pc, at, to, saved: this.#saved, rounds: this.#rounds });
    };
    let pc = first;
    let at = begin;
    for (;;) {
      this.#step();
      const next = code[pc]!;
      let isFailed = false;
      switch (next.kind) {
        case "test": {
          const codePoint = text.codePointAt(at);
          if (codePoint !== undefined && next.test(codePoint)) {
            at += codePoint > 0xffff ? 2 : 1;
            pc++;
          } else isFailed = true;
          break;
        }
        case "run": {
          if (isTried(pc, at)) {
            isFailed = true;
            break;
          }
          const isWhole = next.max === Infinity && next.mode === "greedy";
          // A begin in the same run that was tried has left only the ends before its own.
          const wasTried = isWhole && this.#tried ? (place: number) => isTried(pc, place) : undefined;
          const { end, count, floor } = this.#runOf(next, at, wasTried);
          if (count < next.min) isFailed = true;
          else if (next.mode === "lazy") {
            if (next.max > next.min) choose(pc, end, next.max - next.min);
          } else if (next.mode === "greedy" && end > floor) choose(pc, end, floor);
          if (isWhole && !isInner && pc === 0 && this.#program.canRemember) this.skipTo = Math.max(this.skipTo, end);
          at = end;
          pc++;
          break;
        }
        case "split": {
          if (isTried(pc, at)) {
            isFailed = true;
            break;
          }
          const [now, later] = next.isLazy ? [next.other, pc + 1] : [pc + 1, next.other];
          choose(later, at);
          pc = now;
          break;
        }
        case "jump":
          pc = next.to;
          break;
        case "round":
          this.#rounds = Object.assign([...this.#rounds], { [next.register]: at });
          pc++;
          break;
        case "ifEmpty":
          pc = this.#rounds[next.register] === at ? next.exit : pc + 1;
          break;
        case "save": {
          const old = this.#saved[next.name] ?? [-1, -1];
          this.#saved = { ...this.#saved, [next.name]: next.isEnd ? [old[0], at] : [at, -1] };
          pc++;
          break;
        }
        case "same": {
          const [from, to] = this.#saved[next.name] ?? [-1, -1];
          if (from >= 0 && to >= from && text.startsWith(text.slice(from, to), at)) {
            at += to - from;
            pc++;
          } else isFailed = true;
          break;
        }
        case "at":
          if (this.#isAt(next.what, at)) pc++;
          else isFailed = true;
          break;
        case "look": {
          const before = this.#saved;
          const isThere = next.isBehind ? this.#endsAt(pc + 1, at, next.lengths) : this.#run(pc + 1, at, -1) >= 0;
          if (next.isNegated) this.#saved = before;
          if (isThere === next.isNegated) isFailed = true;
          else pc = next.after;
          break;
        }
        case "atomic": {
          const end = this.#run(pc + 1, at, -1);
          if (end < 0) isFailed = true;
          else {
            at = end;
            pc = next.after;
          }
          break;
        }
        case "end":
          if (wanted < 0 || wanted === at) {
            unmark();
            return at;
          }
          isFailed = true;
          break;
        default:
          next satisfies never;
      }
      if (!isFailed) continue;
      const back = this.#back(choices);
      if (!back) {
        if (wanted >= 0) unmark();
        return -1;
      }
      ({ pc, at } = back);
    }
  }

  /** Takes the last choice; of a run of characters one fewer, or one more. */
  #back(choices: Choice[]): { readonly pc: number; readonly at: number } | undefined {
    for (;;) {
      const choice = choices.at(-1);
      if (!choice) return undefined;
      this.#saved = choice.saved;
      this.#rounds = choice.rounds;
      const { pc, to } = choice;
      const instruction = this.#program.code[pc]!;
      if (to < 0 || instruction.kind !== "run") {
        choices.pop();
        return { pc, at: choice.at };
      }
      this.#step();
      if (instruction.mode === "greedy") {
        choice.at -= widthBefore(this.#text, choice.at);
        if (choice.at <= to) choices.pop();
        return { pc: pc + 1, at: choice.at };
      }
      choices.pop();
      const codePoint = this.#text.codePointAt(choice.at);
      if (codePoint === undefined || !instruction.test(codePoint)) continue;
      const at = choice.at + (codePoint > 0xffff ? 2 : 1);
      if (to > 1) choices.push({ ...choice, at, to: to - 1 });
      return { pc: pc + 1, at };
    }
  }

  /**
   * Characters of a set from a place on: where they end, how many there are, and the end of the first `min` of them. From a place on
   * that `wasTried` (which marks the others) only `min` more are taken, less one.
   */
  #runOf(
    { test, min, max, mode }: Instruction & { kind: "run" },
    begin: number,
    wasTried: ((place: number) => boolean) | undefined,
  ): { end: number; count: number; floor: number } {
    const text = this.#text;
    let most = mode === "lazy" ? min : max;
    let end = begin;
    let count = 0;
    let floor = begin;
    while (count < most && end < text.length) {
      const codePoint = text.codePointAt(end)!;
      if (!test(codePoint)) break;
      end += codePoint > 0xffff ? 2 : 1;
      if (++count === min) floor = end;
      if (wasTried && most === Infinity && wasTried(end)) most = count + Math.max(0, min - 1);
    }
    this.steps += count >> 2;
    return { end, count, floor };
  }

  /** Whether an inner program matches a text that ends here. */
  #endsAt(first: number, end: number, [min, max]: readonly [number, number]): boolean {
    for (let begin = end - min; begin >= Math.max(0, end - max); begin--) {
      const isInside = begin > 0 && widthAt(this.#text, begin - 1) === 2;
      if (!isInside && this.#run(first, begin, end) >= 0) return true;
    }
    return false;
  }

  #isAt(what: "line" | "lineEnd" | "text" | "textEnd" | "lastLine" | "word" | "notWord", at: number): boolean {
    const text = this.#text;
    const { length } = text;
    switch (what) {
      case "line":
        return at === 0 || (at < length && text[at - 1] === "\n");
      case "lineEnd":
        return at === length || text[at] === "\n";
      case "text":
        return at === 0;
      case "textEnd":
        return at === length;
      case "lastLine":
        return at === length || (at === length - 1 && text[at] === "\n");
      case "word":
      case "notWord": {
        const { isWord } = this.#program;
        const before = at > 0 && isWord(text.codePointAt(at - widthBefore(text, at))!);
        const after = at < length && isWord(text.codePointAt(at)!);
        return (before !== after) === (what === "word");
      }
      default:
        what satisfies never;
        return false;
    }
  }
}
