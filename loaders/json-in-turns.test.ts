import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "./errors.ts";
import { parseJson } from "./json-in-turns.ts";
import { LargeObject } from "./large-object.ts";
import type { LargeItems } from "./large-table.ts";
import { LargeMap } from "./large-values.ts";
import { eachLine } from "./lines-in-turns.ts";
import { finish, type Work } from "./work.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const parse = (text: string, mayBeLarge: (path: string) => boolean = () => false) =>
  finish(parseJson(bytesOf(text), "a.json", mayBeLarge));

/** Does work to its end and counts its pauses. */
function pausesOf(work: Work<unknown>): number {
  for (let count = 0; ; count++) if (work.next().done) return count;
}

/** Pushes what follows beyond the length that is parsed at once. */
const LONG = "x".repeat(70_000);

/** Whether a reader takes a text; another error than its own fails the test. */
const isRight = (text: string, read: (text: string) => unknown) => {
  try {
    read(text);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(read === JSON.parse ? SyntaxError : FormatError);
    return false;
  }
};

describe("a JSON text", () => {
  it("is read as JSON.parse reads it, however long its parts are", () => {
    const key = fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.constantFrom("__proto__", "constructor", "1", "0", "length", '"\\'),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom<unknown>(null, true, 1.5e-7, -0, LONG, '\ud83d\ude00 \\ " \n'),
        fc.string({ unit: "binary" }),
        tie("list"),
        tie("object"),
      ),
      list: fc.array(tie("value"), { maxLength: 5 }),
      object: fc.dictionary(key, tie("value"), { maxKeys: 5, noNullPrototype: true }),
    }));
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, "\t"), (given, space) => {
        const text = JSON.stringify(given, null, space);
        const made = parse(text);
        expect(JSON.stringify(made)).toBe(JSON.stringify(JSON.parse(text)));
        expect(made).toEqual(JSON.parse(text));
      }),
      { numRuns: 60 },
    );
  });

  it("of long parts with the same names twice has the last values", () => {
    const text = `{"a":1,"b":["${LONG}"],"c":2,"a":{"d":["${LONG}",1]},"b":3}`;
    expect(parse(text)).toEqual(JSON.parse(text));
    expect(Object.keys(parse(text) as object)).toEqual(["a", "b", "c"]);
  });

  it("that is wrong is refused, as by JSON.parse, wherever it is cut or changed", () => {
    const long = `{"a":[1,2,{"b":"${LONG}"},[]],"c":{"d":[["${LONG}"],{}]},"e":null} `;
    const short = long.replaceAll(LONG, "y");
    const places = [...Array.from({ length: short.length }, (_, i) => i)];
    for (const at of places) {
      for (const change of ["", ",", "]", "}", '"', "0", ":"]) {
        const changed = short.slice(0, at) + change + short.slice(at + 1);
        const text = changed.replaceAll('"y"', `"${LONG}"`);
        expect(isRight(text, parse as never), changed).toBe(isRight(text, JSON.parse));
      }
      const cut = short.slice(0, at).replaceAll('"y"', `"${LONG}"`);
      expect(isRight(cut, parse as never), cut.slice(0, 50)).toBe(isRight(cut, JSON.parse));
    }
    expect(() => parse("[".repeat(80_000).padEnd(160_000, "[1]"))).toThrow("a.json: is not JSON: ");
    expect(() => parse('{"a":1,}')).toThrow(/^a.json: is not JSON: .*\(character \d+\)$/);
    expect(() => finish(parseJson(Uint8Array.of(0x22, 0xff, 0x22), "a.json", () => false))).toThrow(
      "is not UTF-8 text",
    );
  }, 20_000);

  const many = `{"model":{"vocab":{${Array.from({ length: 100_001 }, (_, i) => `"t${i}":${i}`).join()},"t5":7}}}`;

  it("with an object of many members gives it as a table where it may, and is refused elsewhere", () => {
    const made = parse(many, (path) => path === "model.vocab") as { model: { vocab: LargeObject } };
    const { members } = made.model.vocab;
    expect(members.size).toBe(100_001);
    expect([members.get("t5"), members.get("t100000"), members.get("t100001")]).toEqual([7, 100_000, undefined]);
    expect(() => parse(many)).toThrow('a.json: "model.vocab" has more than 100000 members');
  });

  it("pauses after a bounded piece of work", () => {
    const work = () => parseJson(bytesOf(many), "a.json", () => true);
    expect(pausesOf(work())).toBeGreaterThan(many.length / 70_000);
    const list = `[[${"[1,[2]],".repeat(100_000)}0]]`;
    expect(pausesOf(parseJson(bytesOf(list), "a.json", () => true))).toBeGreaterThan(list.length / 70_000);
  });
});

const readLarge = (text: string) => parse(text, () => true);

describe("what may be large", () => {
  /** The value as plain objects and lists. */
  const plain = (value: unknown): unknown => {
    if (value instanceof LargeObject)
      return Object.fromEntries([...value.members].map(([name, of]) => [name, plain(of)]));
    if (typeof value !== "object" || value === null || !("at" in value)) return value;
    const items = value as LargeItems;
    return Array.from({ length: items.length }, (_, i) => plain(items.at(i)));
  };
  it("is read as JSON.parse reads it", () => {
    const text = fc.oneof(fc.string({ unit: "binary", maxLength: 5 }), fc.constantFrom("", '"\\', "\u0120t", LONG));
    const number = fc.oneof(
      fc.nat(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(-1, 2 ** 31, 1e21, 10 ** 9),
    );
    const item = fc.oneof(
      text,
      number,
      fc.tuple(text, text),
      fc.tuple(text, number),
      fc.constantFrom<unknown>(null, [], ["a"], ["a", 1, 2], ["a", true], [1, "a"], [["a", "b"]], "last"),
    );
    const names = fc.dictionary(
      text.filter((name) => name !== "__proto__"),
      fc.oneof(item, number),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.oneof(fc.array(item), names), fc.constantFrom(undefined, 1, "\t"), (given, space) => {
        const json = JSON.stringify(given, null, space);
        expect(plain(readLarge(json))).toEqual(JSON.parse(json));
      }),
      { numRuns: 100 },
    );
  });

  it("is refused where JSON.parse refuses it, wherever it is cut or changed", () => {
    for (const long of [
      '{"a":1,"b\\n":[2.5e1],"c":"d", "e" :-0,"a":012}',
      '["a b",["c","d"],["e",-1.5e-3] ,["f"],7,["\\u0120",""]]',
    ]) {
      for (let at = 0; at <= long.length; at++) {
        for (const change of ["", ",", "]", "}", '"', "0", ":", "\\", "\n", "é"]) {
          const changed = long.slice(0, at) + change + long.slice(at + 1);
          expect(isRight(changed, readLarge as never), changed).toBe(isRight(changed, JSON.parse));
        }
        expect(isRight(long.slice(0, at), readLarge as never), long.slice(0, at)).toBe(
          isRight(long.slice(0, at), JSON.parse),
        );
      }
    }
  });

  it("pauses after a bounded piece of work, and makes no value for a name, a text or a number", () => {
    const merges = Array.from({ length: 50_000 }, (_, i) => `"${i} b"`);
    const list = `[${merges.join()}]`;
    expect(pausesOf(parseJson(bytesOf(list), "a.json", () => true))).toBeGreaterThan(list.length / 70_000);
    const pairs = `[${merges.map((merge) => `[${merge},"c"]`).join()}]`;
    const items = readLarge(pairs) as LargeItems;
    expect([items.length, items.at(7), items.at(50_000)]).toEqual([50_000, ["7 b", "c"], undefined]);
  });
});

function linesOf(text: string): string[] {
  const lines: string[] = [];
  finish(eachLine(bytesOf(text), "a.txt", (line, number) => (lines[number] = line)));
  return lines;
}

describe("lines", () => {
  it("are those of the text, whatever characters lie where it is cut", () => {
    const text = Array.from({ length: 60_000 }, (_, i) => (i % 7 === 0 ? "" : `${i} \u00e4\ud83d\ude00`)).join("\n");
    expect(linesOf(text)).toEqual(text.split("\n"));
    expect(linesOf("a\nb\n")).toEqual(["a", "b"]);
    expect(pausesOf(eachLine(bytesOf(text), "a.txt", () => {}))).toBeGreaterThan(2);
    expect(() => finish(eachLine(Uint8Array.of(0x61, 0xff), "a.txt", () => {}))).toThrow("a.txt: is not UTF-8 text");
  });
});

describe("a table of values by text", () => {
  it("is a Map of them, in the order in which they came", () => {
    const value = fc.oneof(
      fc.integer(),
      fc.string({ maxLength: 1 }),
      fc.constantFrom<unknown>(-0, 0.5, null, undefined, 2 ** 31),
    );
    const names = fc.array(fc.tuple(fc.string({ unit: "binary", maxLength: 2 }), value), { maxLength: 300 });
    fc.assert(
      fc.property(names, (pairs) => {
        const [table, map] = [new LargeMap<unknown>(), new Map<string, unknown>()];
        for (const [name, of] of pairs) {
          table.set(name, of);
          map.set(name, of);
        }
        expect([...table]).toEqual([...map]);
        expect([...table.keys(), ...table.values(), table.size]).toEqual([...map.keys(), ...map.values(), map.size]);
        for (const name of ["", "a", "b", ...map.keys()]) {
          expect([table.get(name), table.has(name)]).toEqual([map.get(name), map.has(name)]);
        }
      }),
      { numRuns: 50 },
    );
    const table = new LargeMap<number>();
    for (let i = 0; i < 70_000; i++) table.set(`name ${i}`, i);
    for (let i = 0; i < 70_000; i += 97) expect(table.get(`name ${i}`)).toBe(i);
    expect(table.size).toBe(70_000);
    const long = "y".repeat(300_000);
    for (const name of [long, "z", `${long}!`]) expect(table.set(name, name.length).get(name)).toBe(name.length);
    expect([...table.keys()].slice(-3)).toEqual([long, "z", `${long}!`]);
  });
});
