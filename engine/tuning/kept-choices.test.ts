import { describe, expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { VERSION } from "../version.ts";
import {
  choicesFor,
  NO_CHOICES,
  parseDocument,
  withChoices,
  type ChoiceKey,
  type KernelChoice,
} from "./kept-choices.ts";

const key: ChoiceKey = {
  identity: { device: "webgpu", vendor: "acme", model: "one", driver: "1.0" },
  version: "1.2.3",
  isApproximate: false,
};
const withDriver = (driver: string): ChoiceKey => ({ ...key, identity: { ...key.identity, driver } });

const choice = (call: string, begin = 1, implementation = "linear.tiles.f32"): KernelChoice => ({
  call,
  begin,
  end: begin === 64 ? null : begin + 1,
  implementation,
  rows: begin,
  seconds: 1,
  preset: "linear.f32",
  presetSeconds: 2,
});

it("the version is that of the package", () => {
  expect(VERSION).toBe(manifest.version);
});

describe("choices", () => {
  const kept = withChoices(NO_CHOICES, key, [choice("a"), choice("b")]);

  it("are found under their key, in whatever order its facts are named", () => {
    expect(choicesFor(kept, key)).toEqual([choice("a"), choice("b")]);
    const { driver, ...rest } = key.identity;
    expect(choicesFor(kept, { ...key, identity: { driver: driver!, ...rest } })).toHaveLength(2);
  });

  it.each<[what: string, other: ChoiceKey]>([
    ["driver", withDriver("1.1")],
    ["adapter", { ...key, identity: { ...key.identity, model: "two" } }],
    ["version of kedge", { ...key, version: "1.2.4" }],
    ["permission", { ...key, isApproximate: true }],
  ])("are not those of another %s", (_, other) => {
    expect(choicesFor(kept, other)).toEqual([]);
  });

  it("replace those for the same call and rows, and leave the rest", () => {
    const more = withChoices(kept, key, [choice("b", 1, "linear.row.f32"), choice("b", 64)]);
    expect(choicesFor(more, key)).toEqual([choice("a"), choice("b", 1, "linear.row.f32"), choice("b", 64)]);
  });

  it("of another driver of the same adapter, and of another version, are dropped when new ones come", () => {
    const other = { ...key, identity: { ...key.identity, model: "two" } };
    const both = withChoices(kept, other, [choice("c")]);
    expect(both.records).toHaveLength(2);
    const updated = withChoices(both, withDriver("1.1"), [choice("d")]);
    expect(updated.records.map(({ identity }) => identity["driver"])).toEqual(["1.0", "1.1"]);
    expect(choicesFor(updated, key)).toEqual([]);
    expect(choicesFor(updated, other)).toHaveLength(1);
    expect(withChoices(both, { ...key, version: "2.0.0" }, [choice("e")]).records).toHaveLength(1);
  });

  it("come back from their text", () => {
    expect(parseDocument(JSON.parse(JSON.stringify(withChoices(kept, key, [choice("c", 64)]))))).toEqual(
      withChoices(kept, key, [choice("c", 64)]),
    );
  });

  it.each<[value: unknown, message: string]>([
    [7, "the document is no object"],
    [{ format: 2, records: [] }, "format is 2, wanted 1"],
    [{ format: 1 }, "records is no list"],
    [{ format: 1, records: [{ identity: { a: {} } }] }, "an identity's a is no fact"],
    [{ format: 1, records: [{ identity: {}, choices: [] }] }, "a choice's version is undefined"],
    [
      { format: 1, records: [{ ...key, choices: [{ ...choice("a"), begin: "1" }] }] },
      `a choice's begin is "1", wanted a number`,
    ],
    [{ format: 1, records: [{ ...key, choices: [{ ...choice("a"), end: -1 }] }] }, "a choice's end is -1"],
  ])("%j is refused", (value, message) => {
    expect(() => parseDocument(value)).toThrow(message);
  });
});
