import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "./errors.ts";
import { linesOf, parseJson } from "./json-in-turns.ts";
import { LargeObject } from "./large-object.ts";
import { StringTable } from "./string-table.ts";
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
    expect(error).toBeInstanceOf(read === parse ? FormatError : SyntaxError);
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

describe("lines", () => {
  it("are those of the text, whatever characters lie where it is cut", () => {
    const text = Array.from({ length: 60_000 }, (_, i) => (i % 7 === 0 ? "" : `${i} \u00e4\ud83d\ude00`)).join("\n");
    expect(finish(linesOf(bytesOf(text), "a.txt"))).toEqual(text.split("\n"));
    expect(finish(linesOf(bytesOf("a\nb\n"), "a.txt"))).toEqual(["a", "b"]);
    expect(pausesOf(linesOf(bytesOf(text), "a.txt"))).toBeGreaterThan(2);
  });
});

describe("a table of texts", () => {
  it("is a Map of them, in the order in which they came", () => {
    const names = fc.array(fc.tuple(fc.string({ maxLength: 2 }), fc.integer()), { maxLength: 300 });
    fc.assert(
      fc.property(names, (pairs) => {
        const [table, map] = [new StringTable<number>(), new Map<string, number>()];
        for (const [name, value] of pairs) {
          table.set(name, value);
          map.set(name, value);
        }
        expect([...table]).toEqual([...map]);
        expect([...table.keys(), ...table.values(), table.size]).toEqual([...map.keys(), ...map.values(), map.size]);
        for (const name of ["", "a", "b", ...map.keys()]) {
          expect([table.get(name), table.has(name)]).toEqual([map.get(name), map.has(name)]);
        }
      }),
      { numRuns: 50 },
    );
    const table = new StringTable<number>();
    for (let i = 0; i < 70_000; i++) table.set(`name ${i}`, i);
    for (let i = 0; i < 70_000; i += 97) expect(table.get(`name ${i}`)).toBe(i);
    expect(table.size).toBe(70_000);
  });
});
