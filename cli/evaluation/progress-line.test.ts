import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { Terminal } from "../terminal.ts";
import { progressShower, roughTime, runningScore, TimeLeft } from "./progress-line.ts";
import type { WaysProgress } from "./run.ts";

function progressOf(done: number, total: number, resumed = 0): WaysProgress {
  const passed = Math.floor(done / 2);
  return { done, total, passed, resumed, ways: [{ done, passed }] };
}

/** The score of ways. */
function scoreOf(...ways: readonly (readonly [passed: number, done: number])[]): string {
  const list = ways.map(([passed, done]) => ({ passed, done }));
  const sum = (key: "passed" | "done") => list.reduce((total, way) => total + way[key], 0);
  return runningScore({ ways: list, done: sum("done"), passed: sum("passed"), total: 100, resumed: 0 });
}

describe("the time left", () => {
  it("is told once as many tasks have ended as there are rows, and not after the last", () => {
    const time = new TimeLeft(4);
    expect(time.at(progressOf(0, 100), 0)).toBeUndefined();
    expect(time.at(progressOf(3, 100), 9_000)).toBeUndefined();
    // 4 are done and 4 half: 6 in 12 s, and 96 - 2 are left.
    expect(time.at(progressOf(4, 100), 12_000)).toBeCloseTo(188_000, 6);
    expect(time.at(progressOf(100, 100), 200_000)).toBe(0);
  });

  it("does not count what an earlier run had done", () => {
    const time = new TimeLeft(1);
    expect(time.at(progressOf(50, 100, 50), 0)).toBeUndefined();
    time.at(progressOf(55, 100, 50), 10_000);
    expect(time.at(progressOf(60, 100, 50), 20_000)! / 1000).toBeCloseTo(78, -1);
  });

  it("falls steadily where tasks end in bunches, and comes to 0 with them", () => {
    const time = new TimeLeft(16);
    let before = Infinity;
    let largestRise = 0;
    for (let second = 0; second <= 400; second++) {
      const done = Math.floor(second / 16) * 16; // 16 tasks in each 16 seconds
      const left = time.at(progressOf(Math.min(400, done), 400), second * 1000);
      if (left === undefined) continue;
      if (second > 48) largestRise = Math.max(largestRise, left - before);
      if (done > 64) expect(Math.abs(left / 1000 - (400 - second))).toBeLessThan(0.15 * (400 - second) + 16);
      before = left;
    }
    expect(largestRise).toBeLessThan(3000);
  });

  it("is written as coarsely as it is sure", () => {
    const written = [0, 7, 44, 58, 65, 194, 598, 640, 3500, 3590, 8700].map((seconds) => roughTime(seconds * 1000));
    expect(written).toEqual(
      ["5 s", "5 s", "45 s", "1 min", "1 min", "3 min 15 s", "10 min", "11 min", "58 min", "1 h", "2 h 25 min"], // prettier-ignore
    );
  });
});

describe("the score so far", () => {
  it("is that of each way, or of the first and the best of many", () => {
    expect(scoreOf([0, 0])).toBe("0 passed");
    expect(scoreOf([3, 8])).toBe("3 passed (0.38)");
    expect(scoreOf([3, 8], [0, 0], [5, 8])).toBe("passed 0.38 · - · 0.63");
    expect(scoreOf([4, 8], [0, 0], [5, 8], [2, 8], [6, 8], [1, 8], [1, 8])).toBe("passed 0.50, at best 0.75");
  });
});

describe("a log", () => {
  it("gets a line each half minute, and a terminal none", () => {
    for (const isTTY of [false, true]) {
      const chunks: string[] = [];
      const stderr = Object.assign(new PassThrough(), { isTTY });
      stderr.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
      const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr, env: { NO_COLOR: "1" } };
      const terminal = new Terminal({ ...streams, signal: new AbortController().signal });
      let now = 0;
      const labels: string[] = [];
      const bar = { update: (_done: number, _of: number, label: string) => void labels.push(label) };
      const show = progressShower({ terminal, bar, rows: 2, label: "strength 1.2" }, () => now);
      for (let done = 0; done <= 20; done++, now += 10_000) show(progressOf(done, 20));
      expect(labels).toHaveLength(21);
      expect(labels.at(-1)).toBe("strength 1.2: 20 of 20, 10 passed (0.50)");
      expect(labels[3]).toBe("strength 1.2: 3 of 20, 1 passed (0.33), 1 min 45 s left");
      // That is half the way from the 113 - 10 s of before to 30 / (3 + 1) · (17 - 1) = 120 s.
      const lines = chunks.join("").trimEnd().split("\n");
      if (isTTY) expect(chunks).toEqual([]);
      else expect(lines.map((line) => /: (\d+) of 20/.exec(line)![1])).toEqual(["3", "6", "9", "12", "15", "18"]);
    }
  });
});
