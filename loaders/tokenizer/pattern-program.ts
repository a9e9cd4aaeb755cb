// A pattern as a program of small instructions for the matcher (pattern-matcher.ts), which tries alternatives in Oniguruma's order.

import { UnsupportedError } from "../errors.ts";
import { classOf, type PatternNode } from "./pattern-syntax.ts";

/** Says whether a character, by its code point, is one of a set. */
export type CharacterTest = (codePoint: number) => boolean;

/** One instruction. Those that do not say where to go on go on with the next. */
export type Instruction =
  | { readonly kind: "test"; readonly test: CharacterTest }
  /** characters of a set, as many as there are or as few as needed */
  | {
      readonly kind: "run";
      readonly test: CharacterTest;
      readonly min: number;
      readonly max: number;
      readonly mode: "greedy" | "lazy" | "possessive";
    }
  /** tries the next instruction first, then the one at `other`; the other way round if `isLazy` */
  | { readonly kind: "split"; other: number; readonly isLazy: boolean }
  | { readonly kind: "jump"; to: number }
  /** remembers where a round of a repetition begins, and goes on at `exit` after one that matched nothing */
  | { readonly kind: "round"; readonly register: number }
  | { readonly kind: "ifEmpty"; readonly register: number; exit: number }
  | { readonly kind: "save"; readonly name: string; readonly isEnd: boolean }
  | { readonly kind: "same"; readonly name: string }
  | { readonly kind: "at"; readonly what: (PatternNode & { kind: "at" })["what"] }
  /** a program of its own up to its `end`, which begins with the next instruction; goes on at `after` */
  | {
      readonly kind: "look";
      readonly isBehind: boolean;
      readonly isNegated: boolean;
      readonly lengths: readonly [number, number];
      after: number;
    }
  | { readonly kind: "atomic"; after: number }
  | { readonly kind: "end" };

/** A compiled pattern. */
export interface PatternProgram {
  readonly code: readonly Instruction[];
  /** what a character of a word is, for `\b` */
  readonly isWord: CharacterTest;
  /** where one match depends on nothing but the instruction and the place, each pair has to be tried only once */
  readonly canRemember: boolean;
}

/** Stops repetitions of repetitions that would be written out. */
const MAX_INSTRUCTIONS = 20_000;

const tests = new Map<string, CharacterTest>();

/** The test of a JavaScript `v` class; what it says of a character is kept, in blocks of 256. */
export function testOf(source: string): CharacterTest {
  const known = tests.get(source);
  if (known) return known;
  const regex = new RegExp(`^${source}$`, "v");
  const blocks: (Uint8Array | undefined)[] = [];
  const test: CharacterTest = (codePoint) => {
    const block = (blocks[codePoint >> 8] ??= new Uint8Array(256));
    const place = codePoint & 255;
    if (block[place] === 0) block[place] = regex.test(String.fromCodePoint(codePoint)) ? 2 : 1;
    return block[place] === 2;
  };
  tests.set(source, test);
  return test;
}

function singleTest(node: PatternNode): CharacterTest | undefined {
  if (node.kind === "set") return testOf(classOf(node));
  if (node.kind !== "character") return undefined;
  const wanted = node.character.codePointAt(0)!;
  return (codePoint) => codePoint === wanted;
}

/** Least and most UTF-16 code units that a part matches. */
function lengthsOf(node: PatternNode): readonly [min: number, max: number] {
  const all = (nodes: readonly PatternNode[]) => nodes.map(lengthsOf);
  switch (node.kind) {
    case "character":
      return [node.character.length, node.character.length];
    case "set":
      return [1, 2];
    case "sequence":
      return all(node.nodes).reduce(([min, max], [a, b]) => [min + a, max + b], [0, 0]);
    case "either": {
      const each = all(node.nodes);
      return [Math.min(...each.map(([min]) => min)), Math.max(...each.map(([, max]) => max))];
    }
    case "repeat": {
      const [min, max] = lengthsOf(node.node);
      return [min * node.min, max === 0 || node.max === 0 ? 0 : max * node.max];
    }
    case "group":
    case "atomic":
      return lengthsOf(node.node);
    case "look":
    case "at":
      return [0, 0];
    case "same":
      return [0, Infinity];
    default:
      node satisfies never;
      return [0, Infinity];
  }
}

/** Compiles a pattern. Throws {@link UnsupportedError} for one that is too large. */
export function compile(node: PatternNode, where: string, wordClass: string): PatternProgram {
  const code: Instruction[] = [];
  let registers = 0;
  const named = new Set<string>();
  const findNames = (part: PatternNode): void => {
    if (part.kind === "same") named.add(part.name);
    else if ("nodes" in part) part.nodes.forEach(findNames);
    else if ("node" in part) findNames(part.node);
  };
  findNames(node);
  const add = <I extends Instruction>(instruction: I): I => {
    if (code.length >= MAX_INSTRUCTIONS) {
      throw new UnsupportedError(`${where}: a pattern has repetitions that make more than ${MAX_INSTRUCTIONS} steps`);
    }
    code.push(instruction);
    return instruction;
  };
  const repeat = (part: PatternNode & { kind: "repeat" }): void => {
    const { node: inside, min, max, mode } = part;
    const test = singleTest(inside);
    if (test) return void add({ kind: "run", test, min, max, mode });
    if (mode === "possessive") {
      const atomic = add({ kind: "atomic", after: 0 });
      repeat({ ...part, mode: "greedy" });
      add({ kind: "end" });
      atomic.after = code.length;
      return;
    }
    const isLazy = mode === "lazy";
    const mayBeEmpty = lengthsOf(inside)[0] === 0;
    for (let i = 0; i < min; i++) write(inside);
    if (max !== Infinity) {
      const splits: { other: number }[] = [];
      for (let i = min; i < max; i++) {
        splits.push(add({ kind: "split", other: 0, isLazy }));
        write(inside);
      }
      for (const split of splits) split.other = code.length;
      return;
    }
    const begin = code.length;
    const split = add({ kind: "split", other: 0, isLazy });
    const register = registers;
    if (mayBeEmpty) {
      registers++;
      add({ kind: "round", register });
    }
    write(inside);
    const ifEmpty = mayBeEmpty ? add({ kind: "ifEmpty", register, exit: 0 }) : undefined;
    add({ kind: "jump", to: begin });
    split.other = code.length;
    if (ifEmpty) ifEmpty.exit = code.length;
  };
  const write = (part: PatternNode): void => {
    switch (part.kind) {
      case "character":
      case "set":
        add({ kind: "test", test: singleTest(part)! });
        return;
      case "sequence":
        part.nodes.forEach(write);
        return;
      case "either": {
        const jumps: { to: number }[] = [];
        for (const [i, one] of part.nodes.entries()) {
          const isLast = i === part.nodes.length - 1;
          const split = isLast ? undefined : add({ kind: "split", other: 0, isLazy: false });
          write(one);
          if (!isLast) jumps.push(add({ kind: "jump", to: 0 }));
          if (split) split.other = code.length;
        }
        for (const jump of jumps) jump.to = code.length;
        return;
      }
      case "repeat":
        repeat(part);
        return;
      case "group": {
        const name = part.name !== undefined && named.has(part.name) ? part.name : undefined;
        if (name !== undefined) add({ kind: "save", name, isEnd: false });
        write(part.node);
        if (name !== undefined) add({ kind: "save", name, isEnd: true });
        return;
      }
      case "atomic":
      case "look": {
        const { node: inside } = part;
        const inner =
          part.kind === "atomic"
            ? add({ kind: "atomic", after: 0 })
            : add({
                kind: "look",
                isBehind: part.isBehind,
                isNegated: part.isNegated,
                lengths: lengthsOf(inside),
                after: 0,
              });
        write(inside);
        add({ kind: "end" });
        inner.after = code.length;
        return;
      }
      case "at":
        add({ kind: "at", what: part.what });
        return;
      case "same":
        add({ kind: "same", name: part.name });
        return;
      default:
        part satisfies never;
    }
  };
  write(node);
  add({ kind: "end" });
  return { code, isWord: testOf(wordClass), canRemember: named.size === 0 && registers === 0 };
}
