// Plots of a kernel bench. Colors come from the page's style, so that they suit light and dark.

import * as Plot from "@observablehq/plot";
import { ratesOf, type KernelResults, type KernelRow, type MeasuredDevice, type Rates } from "../kernels/results.ts";

/** A row with all that is plotted of it. */
interface Point {
  readonly row: KernelRow;
  readonly rates: Rates;
  readonly device: string;
  readonly kernel: string;
  readonly name: string;
  readonly call: string;
  readonly title: string;
}

/** Of every plot. */
export const style = { background: "transparent", color: "currentColor", fontSize: "12px", overflow: "visible" };
/** Colors of devices, in their order; of one device alone the page's own. */
export function deviceColors(ids: readonly string[]): { domain: string[]; range: string[] } {
  return { domain: [...ids], range: ids.length === 1 ? ["var(--bar)"] : ["#4269d0", "#efb118", "#ff725c", "#6cc5b0"] };
}
const SMALLEST_ERROR = 1e-5;
const BAR_HEIGHT = 17;
const LABEL_WIDTH = 260;
/** Width that a plot with long labels needs; in a narrower page it is moved sideways. */
export const NARROWEST = 560;
/** Ratio of roofs whose names would overlap. */
const NEAR_ROOFS = 1.5;

function timeText(seconds: number): string {
  if (seconds < 1e-3) return `${(seconds * 1e6).toPrecision(3)} µs`;
  return `${(seconds * 1e3).toPrecision(3)} ms`;
}

/** The rows that have a time, ready to be plotted. */
export function pointsOf(rows: readonly KernelRow[], devices: readonly MeasuredDevice[]): Point[] {
  return rows.flatMap((row): Point[] => {
    const device = devices.find(({ id }) => id === row.device);
    const rates = device && ratesOf(row, device);
    if (!rates) return [];
    const call = `${row.kernel} ${row.size}`;
    const name = `${row.implementation}${row.isRival ? " (rival)" : ""}`;
    const facts = [
      `${name} on ${row.device}`,
      `${row.label}, ${row.size}${row.isStreamed ? ", cold" : ""}`,
      `${timeText(row.seconds!.median)}, ± ${(rates.spread * 100).toFixed(0)} %`,
      `${(rates.flopsPerSecond / 1e9).toFixed(1)} GFLOP/s, ${(rates.bytesPerSecond / 1e9).toFixed(1)} GB/s`,
    ];
    return [{ row, rates, device: row.device, kernel: row.kernel, name, call, title: facts.join("\n") }];
  });
}

/** Bars of how much of the peak each implementation reaches, from its slowest to its fastest sample; a facet a call. */
export function barPlot(points: readonly Point[], width: number): Element {
  const share = ({ rates }: Point) => (rates.shareOfPeak ?? 0) * 100;
  const at = (point: Point, seconds: number) => (share(point) * point.row.seconds!.median) / seconds;
  const key = ({ name, device, row: { format = "" } }: Point) =>
    [name === "reference" ? [] : name, name.endsWith(format) ? [] : format, device].flat().join(", ");
  const colors = deviceColors([...new Set(points.map(({ device }) => device))]);
  const color = {
    domain: [...colors.domain, "rival"],
    range: [...colors.range.slice(0, colors.domain.length), "var(--rival)"],
  };
  const calls = [...new Set(points.map(({ call }) => call))];
  const lines = calls.reduce((sum, call) => sum + new Set(points.filter((one) => one.call === call).map(key)).size, 0);
  const most = Math.max(100, ...points.map((point) => at(point, point.row.seconds!.least)));
  const parts = calls.map((call) => {
    const own = points.filter((one) => one.call === call).sort((a, b) => share(b) - share(a));
    return Plot.plot({
      ...{ width: Math.max(NARROWEST, width), style },
      height: new Set(own.map(key)).size * BAR_HEIGHT + 52,
      marginLeft: LABEL_WIDTH,
      marginTop: 24,
      marginRight: 64,
      x: { domain: [0, most], grid: true, label: null, tickFormat: (value: number) => `${value} %` },
      y: { label: null, domain: [...new Set(own.map(key))] },
      color,
      marks: [
        Plot.barX(own, {
          x: share,
          y: key,
          fill: ({ row, device }: Point) => (row.isRival ? "rival" : device),
          title: "title",
          tip: true,
          insetTop: 2,
          insetBottom: 2,
        }),
        Plot.ruleY(own, {
          x1: (point: Point) => at(point, point.row.seconds!.most),
          x2: (point: Point) => at(point, point.row.seconds!.least),
          y: key,
          stroke: "currentColor",
          strokeWidth: 1.5,
        }),
        Plot.text(own, {
          x: (point: Point) => Math.max(share(point), at(point, point.row.seconds!.least)),
          y: key,
          text: ({ row }: Point) => timeText(row.seconds!.median),
          textAnchor: "start",
          dx: 5,
        }),
        Plot.ruleX([100], { stroke: "currentColor", strokeDasharray: "3,3" }),
        Plot.text([call], {
          frameAnchor: "top-left",
          dx: -LABEL_WIDTH + 6,
          dy: -18,
          fontWeight: "bold",
          text: (text: string) => text,
        }),
      ],
    });
  });
  const all = document.createElement("div");
  all.className = "bars wide";
  all.dataset["lines"] = String(lines);
  all.append(...parts);
  return all;
}

/** Names of roofs, the lower of two that nearly touch moved down, and the upper up. */
function apart<R extends { readonly y: number }>(roofs: readonly R[]): (R & { readonly dy: number })[] {
  const sorted = [...roofs].sort((a, b) => b.y - a.y);
  const touches = (a: R | undefined, b: R | undefined) => a !== undefined && b !== undefined && a.y / b.y < NEAR_ROOFS;
  return sorted.map((roof, i) => {
    const [above, below] = [touches(sorted[i - 1], roof), touches(roof, sorted[i + 1])];
    return { ...roof, dy: above === below ? 0 : above ? 7 : -7 };
  });
}

/** Operations a second over operations a byte, beneath what the device can do. */
export function rooflinePlot(points: readonly Point[], devices: readonly MeasuredDevice[], width: number): Element {
  const computing = points.filter(({ row }) => row.flops > 0);
  const intensity = ({ row }: Point) => row.flops / row.bytes;
  const [least, most] = [
    Math.min(0.1, ...computing.map(intensity)) / 1.5,
    Math.max(100, ...computing.map(intensity)) * 1.5,
  ];
  const used = devices.filter(({ id }) => computing.some(({ device }) => device === id));
  const roofs = used.flatMap(({ id, peak: { flopsPerSecond, bytesPerSecond } }) => {
    if (flopsPerSecond === undefined || bytesPerSecond === undefined) return [];
    const ridge = flopsPerSecond / bytesPerSecond;
    return [least, ridge, most].map((x) => ({ id, x, y: Math.min(flopsPerSecond, x * bytesPerSecond) / 1e9 }));
  });
  return Plot.plot({
    ...{ width, style },
    height: Math.min(460, Math.max(300, width * 0.5)),
    marginLeft: 52,
    marginRight: 70,
    marginBottom: 40,
    x: { type: "log", domain: [least, most], grid: true, label: "operations a byte →", ticks: 6, tickFormat: "~g" },
    y: { type: "log", grid: true, label: "↑ GFLOP/s", ticks: 5, tickFormat: "~g" },
    color: { legend: true, scheme: "Observable10" },
    symbol: { legend: used.length > 1 },
    marks: [
      Plot.line(roofs, { x: "x", y: "y", z: "id", stroke: "currentColor", strokeWidth: 1.5 }),
      ...apart(roofs.filter(({ x }) => x === most)).map(({ dy, ...roof }) =>
        Plot.text([roof], { x: "x", y: "y", text: "id", textAnchor: "start", dx: 5, dy }),
      ),
      Plot.dot(computing, {
        x: intensity,
        y: ({ rates }: Point) => rates.flopsPerSecond / 1e9,
        stroke: "kernel",
        symbol: "device",
        r: 4,
        strokeWidth: 1.8,
        title: "title",
        tip: true,
      }),
    ],
  });
}

/** How far results lie from the reference, as a share of what is allowed. */
export function errorPlot(rows: readonly KernelRow[], width: number): Element {
  const checked = rows.filter(({ errorOfBound }) => errorOfBound !== undefined);
  const share = ({ errorOfBound }: KernelRow) => Math.max(SMALLEST_ERROR, errorOfBound ?? 100);
  return Plot.plot({
    ...{ width, style },
    height: new Set(checked.map(({ kernel }) => kernel)).size * 22 + 70,
    marginLeft: 140,
    marginRight: 30,
    marginBottom: 40,
    x: {
      type: "log",
      domain: [SMALLEST_ERROR, Math.max(2, ...checked.map(share))],
      grid: true,
      label: "largest error over its bound →",
      tickFormat: (x: number) => (x === SMALLEST_ERROR ? "exact" : x.toPrecision(1)),
    },
    y: { label: null },
    color: { legend: true, scheme: "Observable10" },
    marks: [
      Plot.ruleX([1], { stroke: "currentColor", strokeDasharray: "3,3" }),
      Plot.dot(checked, {
        x: share,
        y: "kernel",
        stroke: (row: KernelRow) => (row.failure === undefined ? (row.format ?? "f32") : "wrong"),
        r: 4,
        strokeWidth: 1.8,
        title: (row: KernelRow) => `${row.implementation} on ${row.device}, ${row.size}\n${row.failure ?? "right"}`,
        tip: true,
      }),
    ],
  });
}

/** What a page says where there is nothing to plot. */
export function isEmpty({ rows }: Pick<KernelResults, "rows">): boolean {
  return !rows.some(({ seconds }) => seconds);
}
