import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FormatError } from "kedge/loaders";
import { loadResults, openResults, type TaskResult } from "./results.ts";

const settings = { model: "m", strength: 1.25, samples: 2 };
const results: readonly TaskResult[] = [
  {
    id: "a",
    samples: [
      { completion: "  return 1;\n}\n", outcome: { passed: true } },
      { completion: "é\u2028", outcome: { passed: false, kind: "timeout", message: "ran longer than 5 ms" } },
    ],
  },
  { id: "b", samples: [{ completion: "", outcome: { passed: false, kind: "syntax", message: "SyntaxError" } }] },
  { id: "c", samples: [] },
];

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kedge-results-"));
  path = join(folder, "results.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(some: readonly TaskResult[], resume = false): void {
  const file = openResults(path, settings, resume);
  for (const result of some) file.append(result);
  file.close();
}

describe("a results file", () => {
  it("is a header, and a line a task", () => {
    write(results);
    const lines = readFileSync(path, "utf8").split("\n");
    expect(lines).toHaveLength(5);
    expect(JSON.parse(lines[0] ?? "")).toEqual({ kedgeResults: 1, settings });
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({ id: "a", passed: 1 });
    expect(loadResults(path)).toEqual({ settings, results });
  });

  it("is on the disk with each task", () => {
    const file = openResults(path, settings, false);
    expect(loadResults(path).results).toEqual([]);
    for (const [index, result] of results.entries()) {
      file.append(result);
      expect(loadResults(path).results).toEqual(results.slice(0, index + 1));
    }
    file.close();
  });

  it("is gone on with, wherever it was cut", () => {
    write(results);
    const whole = readFileSync(path);
    for (let length = 0; length <= whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      const file = openResults(path, settings, true);
      const wholeLines = whole.subarray(0, length).toString("latin1").split("\n").length - 1;
      expect(file.done).toEqual(results.slice(0, Math.max(0, wholeLines - 1)));
      for (const result of results.slice(file.done.length)) file.append(result);
      file.close();
      expect(readFileSync(path).equals(whole), `cut at ${length}`).toBe(true);
    }
  });

  it("is not written over", () => {
    write(results);
    expect(() => openResults(path, settings, false)).toThrow(`${path}: is there already: go on with it (resume)`);
    expect(loadResults(path).results).toEqual(results);
  });

  it("is not gone on with under other settings, which are named", () => {
    write(results);
    const open = (other: Record<string, string | number>): unknown => openResults(path, other, true);
    expect(() => open({ ...settings, strength: 1.5, samples: 1 })).toThrow(
      `${path}: was made with strength 1.25, not 1.5; samples 2, not 1: use the same settings, or name another file`,
    );
    expect(() => open({ model: "m", samples: 2 })).toThrow("made with strength 1.25, not left out");
    expect(() => open({ ...settings, seed: 1 })).toThrow("made with seed left out, not 1");
    write([], true); // the order of settings does not matter
    openResults(path, { samples: 2, strength: 1.25, model: "m" }, true).close();
    expect(loadResults(path).results).toEqual(results);
  });

  it.each([
    ["another file", "hello\n", "line 1: is not JSON"],
    ["another file without a line break", "hello", "line 1: is not the header of a results file"],
    ["other JSON", '{"a":1}\n', "line 1: is not the header of a results file"],
    ["a later version", '{"kedgeResults":2,"settings":{}}\n', "line 1: is of version 2, and this is version 1"],
  ])("is not %s", (_, text, message) => {
    writeFileSync(path, text);
    expect(() => openResults(path, settings, true)).toThrow(FormatError);
    expect(() => openResults(path, settings, true)).toThrow(message);
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it.each([
    ["cut in the middle", '{"id":"x"', "line 3: is not JSON"],
    ["no result", '{"id":"x"}', "line 3: is not the result of a task"],
    [
      "an unknown failure",
      '{"id":"x","samples":[{"completion":"","passed":false,"kind":"?","message":""}]}',
      "line 3: is not",
    ],
    ["there twice", '{"id":"a","samples":[]}', `line 3: has the task "a" of line 2 again`],
  ])("is refused for a line that is %s", (_, line, message) => {
    write(results.slice(0, 1));
    const text = `${readFileSync(path, "utf8")}${line}\n{"id":"y","samples":[]}\n`;
    writeFileSync(path, text);
    expect(() => openResults(path, settings, true)).toThrow(`${path}: ${message}`);
    expect(readFileSync(path, "utf8")).toBe(text);
  });
});
