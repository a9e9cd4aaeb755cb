import { describe, expect, it } from "vitest";
import { checkOptions, wholeNumber, wholeNumbers } from "./options.ts";

const names = { temperature: true, topK: true, maxTokens: true } as const;
const check = (options: object) => () => checkOptions<object>("generate", options, names);

describe("names of options", () => {
  it("lets known ones pass, those that are undefined too", () => {
    expect(check({})).not.toThrow();
    expect(check({ temperature: 1, topK: undefined })).not.toThrow();
  });

  it.each([
    [
      "a letter too many",
      { tempreature: 1 },
      `generate: there is no option "tempreature": did you mean "temperature"?`,
    ],
    ["another letter", { tempereture: 1 }, `did you mean "temperature"?`],
    ["two letters swapped", { tokP: 1 }, `did you mean "topK"?`],
    ["another case", { topk: 40 }, `did you mean "topK"?`],
    ["a letter too few, and another case", { max_tokens: 40 }, `did you mean "maxTokens"?`],
    ["nothing like it", { beams: 4 }, `generate: there is no option "beams": it takes temperature, topK, maxTokens`],
    ["a name of Object's", { toString: 1 }, `there is no option "toString"`],
    ["undefined does not hide it", { beams: undefined }, `there is no option "beams"`],
  ])("refuses %s", (_, options, message) => {
    expect(check(options)).toThrow(RangeError);
    expect(check(options)).toThrow(message);
  });

  it.each([
    [256, "256"],
    ["full", '"full"'],
    [null, "a list or null"],
    [[1], "a list or null"],
  ])("refuses %j in place of an object", (given, said) => {
    expect(check(given as object)).toThrow(
      `generate: its options are ${said}; give an object of temperature, topK, maxTokens`,
    );
  });
});

describe("whole numbers", () => {
  it("are given back, or refused with the least", () => {
    expect(wholeNumber("loadModel", "chunkRows", 1, 1)).toBe(1);
    for (const wrong of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
      expect(() => wholeNumber("loadModel", "chunkRows", wrong, 1)).toThrow(
        `loadModel: chunkRows must be a whole number of at least 1; it is ${wrong}`,
      );
    }
    expect(() => wholeNumbers("loadModel", { contextLength: undefined, chunkRows: 0 }, 1)).toThrow("chunkRows");
    expect(() => wholeNumbers("loadModel", { contextLength: undefined }, 1)).not.toThrow();
  });
});
