// The plot of attention dilution, as a file of its own. The libraries that draw it are the project's, not its users'.

import type { Dilution } from "./measurements.ts";
import { quantile } from "./report-caches.ts";

const [WIDTH, HEIGHT] = [640, 320];
const COLOR = "#4269d0";

/** The mean, and the middle half of the tasks, over tokens after the prompt, as SVG. Throws RangeError for no tasks. */
export async function dilutionPlot(dilutions: readonly Dilution[]): Promise<string> {
  const [first] = dilutions;
  if (first === undefined) throw new RangeError("a plot of the dilution of 0 tasks: wanted 1 or more");
  const points = first.shares.map((_, token) => {
    const sorted = dilutions.map(({ shares }) => shares[token] ?? Number.NaN).toSorted((a, b) => a - b);
    const mean = sorted.reduce((sum, share) => sum + share, 0) / sorted.length;
    return { token, mean, low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) };
  });
  const [Plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = Plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT,
    style: { background: "white", color: "black", fontSize: "12px" },
    x: { label: "tokens after the prompt" },
    y: { label: "the prompt's share of the last layer's attention", domain: [0, 1], tickFormat: ".0%", grid: true },
    marks: [
      Plot.areaY(points, { x: "token", y1: "low", y2: "high", fill: COLOR, fillOpacity: 0.25 }),
      Plot.lineY(points, { x: "token", y: "mean", stroke: COLOR, strokeWidth: 2 }),
      Plot.ruleY([0]),
    ],
  });
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return `${svg.outerHTML}\n`;
}
