import { expect, it } from "vitest";
import { dilutionPlot } from "./plot.ts";

it("the plot of dilution is a file of its own, with a line, a band and both axes", async () => {
  const dilutions = [0.9, 0.5, 0.4].map((share, index) => ({
    id: `t${index}`,
    promptTokens: 100,
    shares: Array.from({ length: 81 }, (_, token) => 1 - (share * token) / 80),
  }));
  const svg = await dilutionPlot(dilutions);
  expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  expect(svg).toContain("tokens after the prompt");
  expect(svg).toContain("the prompt's share of the last layer's attention");
  // 81 points of the mean, from all of the attention at the top to 40 % of it, and no number that is none
  const line = /aria-label="line"[^>]*>\s*<path d="(?<path>[^"]*)"/.exec(svg)?.groups?.["path"];
  expect(line?.split("L")).toHaveLength(81);
  const [top, end] = [line!.split("L")[0]!, line!.split("L").at(-1)!].map((point) => Number(point.split(",")[1]));
  expect(top).toBe(20);
  expect((end! - 20) / (290 - 20)).toBeCloseTo(0.6, 1);
  expect(svg).not.toContain("NaN");
  await expect(dilutionPlot([])).rejects.toThrow("0 tasks");
});
