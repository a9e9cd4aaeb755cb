import { UnsupportedError } from "kedge";
import { tuneStrength } from "kedge/anchoring";
import { describe, expect, it } from "vitest";
import { isBeyondChance, paired, pairedText, scoreCells } from "./comparison.ts";
import { nameOf, type Job, type TestsName } from "./plan.ts";
import { realModelSection } from "./report.ts";
import { replaced } from "./report-anchoring.ts";
import { Missing, type Passes, type Scores } from "./study.ts";

/** A bit a task: `1` passed, `0` failed, `-` has no such tests. */
const passesOf = (bits: string): Passes => [...bits].map((bit) => (bit === "-" ? undefined : bit === "1"));

/** Canned passes by benchmark, way and tests; what is not there is missing. */
function canned(passes: Readonly<Record<string, string>>): Scores {
  const found = (job: Job, tests: string): Passes => {
    const bits = passes[`${job.benchmark} ${nameOf(job.way)} ${job.tasks} ${tests}`];
    if (bits === undefined) throw new Missing(job);
    if (bits === "unjudged") throw new UnsupportedError("needs Python");
    return passesOf(bits);
  };
  return {
    passes: async (job: Job, tests: TestsName) => found(job, tests),
    completions: async (job) =>
      found(job, "base").map((_, index) => ({
        id: `t${index}`,
        prompt: "",
        text: `${nameOf(job.way)} ${index % 2}`,
        tokens: 1,
        cache: { kept: 2 + index, dense: 5 + 2.5 * index },
      })),
    search: async (benchmark) =>
      tuneStrength({
        tasks: 100,
        high: 2,
        step: 0.5,
        score: async (strength, tasks) => {
          if (passes[`${benchmark} search`] === undefined) throw new Missing({ benchmark, way: {}, tasks: "tuning" });
          return strength === 1.5 ? tasks.length : 1;
        },
      }),
  };
}

/** The cells of the row of a section's table that begins so. */
function row(report: string, heading: string, ...begin: readonly string[]): string[] | undefined {
  const section = report.split("\n### ").find((part) => part.startsWith(heading))!;
  const rows = section.split("\n").map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return rows.find((cells) => begin.every((text, index) => cells[index] === text));
}

describe("comparisons", () => {
  it("count what is judged, and pair what both ways have", () => {
    expect(scoreCells(passesOf("11-0"))).toEqual(["2 of 3", "0.667", "0.208 to 0.939"]);
    expect(paired(passesOf("110-01"), passesOf("10110-"))).toMatchObject({ onlyFirst: 1, onlySecond: 1, pValue: 1 });
    expect(() => paired(passesOf("1"), passesOf("10"))).toThrow("1 and 2 tasks");
  });

  it("call a difference one only where chance does not explain it", () => {
    const five = paired(passesOf("00000"), passesOf("11111"));
    expect(pairedText(five)).toBe("5 gained, 0 lost (McNemar, exact: p = 0.063), which chance explains");
    const six = paired(passesOf("000000"), passesOf("111111"));
    expect(isBeyondChance(six)).toBe(true);
    expect(pairedText(six)).toBe("6 gained, 0 lost (McNemar, exact: p = 0.031), more than chance explains");
  });

  it("put second tries in the place of texts that fail their examples, in order", () => {
    expect(replaced(passesOf("1010"), passesOf("1-00"), passesOf("01"))).toEqual(passesOf("1001"));
    expect(() => replaced(passesOf("10"), passesOf("00"), passesOf("1"))).toThrow("1 second tries for 2 tasks");
  });
});

const nothing = { dilution: [], perplexities: [] };

describe("the section on a real model", () => {
  const x = "humaneval-x-js";
  const scores = canned({
    [`${x} plain all base`]: "1010101010",
    [`${x} plain all examples`]: "11-0100110",
    [`${x} spa-1.25 all base`]: "1110101011",
    [`${x} spa-1.25 failing base`]: "1001",
    [`${x} plain-temperature-0.4 failing base`]: "0000",
    [`${x} search`]: "yes",
    [`${x} plain held base`]: "01",
    [`${x} spa-1.5 held base`]: "11",
    [`${x} plain-window-57pc all base`]: "1100000000",
    "humaneval plain all base": "unjudged",
  });

  it("has counts, intervals and chances, and names what is missing or not judged", async () => {
    const report = await realModelSection(scores, nothing);
    expect(row(report, "Plain", "HumanEval-X JavaScript")).toEqual([
      "HumanEval-X JavaScript",
      "continued",
      "5 of 10",
      "0.500",
      "0.237 to 0.763",
      "-",
    ]);
    expect(row(report, "Plain", "HumanEval", "continued")?.[2]).toBe("completed, and not judged yet");
    expect(row(report, "Plain", "HumanEval", "chat")?.slice(2)).toEqual([
      "not measured yet (HumanEval, plain-chat, all tasks)",
      "-",
      "-",
      "0.616",
    ]);
    expect(row(report, "Anchoring everywhere", "HumanEval-X JavaScript")?.slice(1)).toEqual([
      "5 of 10",
      "7 of 10",
      "10",
      "2",
      "0",
      "p = 0.500",
    ]);
  });

  it("has the strength that was found, and its gain on other tasks", async () => {
    const report = await realModelSection(scores, nothing);
    expect(report).toContain("| 1.5 | 18 of 18 |");
    expect(report).toContain(
      "HumanEval-X JavaScript: 1 gained, 0 lost (McNemar, exact: p = 1.000), which chance explains.",
    );
    expect(report).toContain("**HumanEval**: not measured yet (HumanEval, plain, the tasks to tune on).");
  });

  it("compares what anchoring brings after failed examples with what a second try brings", async () => {
    const report = await realModelSection(scores, nothing);
    const rowOf = (name: string) => row(report, "Anchoring after", "HumanEval-X JavaScript", name)?.slice(2);
    expect(rowOf("plain")).toEqual(["5 of 10", "0.500", "-", "-", "-"]);
    expect(rowOf("then SPA 1.25")).toEqual(["6 of 10", "0.600", "2", "1", "p = 1.000"]);
    expect(rowOf("then a sample at temperature 0.4")).toEqual(["4 of 10", "0.400", "0", "1", "p = 1.000"]);
    expect(rowOf("then SPA 1.25 on random spans")?.[0]).toContain("not measured yet");
    expect(report).toContain(
      "- HumanEval-X JavaScript: 9 of 10 prompts have examples that can be run; 4 plain texts fail them.",
    );
    expect(report).toContain("- HumanEval-X JavaScript, SPA against a sample at temperature 0.4: 2 gained, 0 lost");
  });

  it("has measured bytes, perplexities and quartiles, and says which are missing", async () => {
    expect(await realModelSection(scores, nothing)).toContain("### Attention dilution\n\nNot measured yet.");
    const report = await realModelSection(scores, {
      dilution: [0.2, 0.4, 0.6].map((share, index) => ({
        id: `t${index}`,
        promptTokens: 120,
        shares: Array<number>(81).fill(share),
      })),
      perplexities: [{ id: "window:320", perplexity: 2.72727, kept: 40, dense: 100 }],
    });
    expect(row(report, "Attention", "40")).toEqual(["40", "40.0 %", "30.0 % to 50.0 %", "75.0 %"]);
    const perplexities = report.slice(report.indexOf("Perplexity beside"));
    expect(perplexities).toContain("| `window:320` | 40.0 % | 2.73 |");
    expect(perplexities).toContain("| `window:160` | - | not measured yet |");
    expect(row(report, "The small", "`window:57%`")?.slice(1)).toEqual([
      "40.0 %",
      "2 of 10",
      "0.200",
      "0.057 to 0.510",
      "1",
      "4",
      "p = 0.375",
    ]);
    expect(row(report, "The small", "`anchors`")?.[2]).toContain("not measured yet");
  });

  it("concludes nothing about variants from a part of them", async () => {
    expect(await realModelSection(scores, nothing)).toContain("nothing is concluded from a part");
  });
});
