// Devices beside each other: of each call the fastest implementation of each, as a table and as a plot of ratios.

import * as Plot from "@observablehq/plot";
import { sideBySide, type KernelRow, type MeasuredDevice, type SideBySide } from "../kernels/results.ts";
import { timeText } from "../kernels/text.ts";
import { element, section, table } from "./elements.ts";
import { deviceColors, NARROWEST, style } from "./plots.ts";

const LINE_HEIGHT = 20;
/** Of a letter of a label, about. */
const LETTER_WIDTH = 6.6;

const nameOf = ({ kernel, size, format }: KernelRow): string => `${kernel} ${size}${format ? ` ${format}` : ""}`;

function cellsOf({ best }: SideBySide): (string | Node)[] {
  return best.flatMap(({ row, ratio }): (string | Node)[] => {
    if (row?.seconds) return [timeText(row.seconds.median), ratio === undefined ? "" : `${ratioText(ratio)}×`];
    const cell = element("td", row === undefined ? "" : row.cannot === undefined ? "wrong" : "cannot", "cannot");
    cell.colSpan = 2;
    cell.title = row?.cannot ?? row?.failure ?? "not measured";
    return [cell];
  });
}

function ratioText(ratio: number): string {
  return ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0);
}

function ratioPlot(calls: readonly SideBySide[], devices: readonly MeasuredDevice[], width: number): Element {
  const points = calls.flatMap(({ call, best }) =>
    best.flatMap(({ row, ratio }, i) =>
      row?.seconds && ratio !== undefined ? [{ call: nameOf(call), device: devices[i]!.id, ratio, row }] : [],
    ),
  );
  const lines = [...new Set(points.map(({ call }) => call))];
  return Plot.plot({
    ...{ width: Math.max(NARROWEST, width), style },
    height: lines.length * LINE_HEIGHT + 56,
    marginLeft: LETTER_WIDTH * Math.max(...lines.map((line) => line.length)) + 14,
    marginRight: 24,
    marginBottom: 36,
    x: { type: "log", grid: true, label: `times as fast as ${devices[0]!.id} →`, tickFormat: (x: number) => `${x}` },
    y: { label: null, domain: lines },
    color: { legend: true, ...deviceColors(devices.map(({ id }) => id)) },
    marks: [
      Plot.ruleX([1], { stroke: "currentColor", strokeDasharray: "3,3" }),
      Plot.dot(points, {
        x: "ratio",
        y: "call",
        fill: "device",
        r: 5,
        title: ({ device, ratio, row }) =>
          `${row.implementation} on ${device}\n${timeText(row.seconds!.median)}, ${ratioText(ratio)}×`,
        tip: true,
      }),
    ],
  });
}

/** Why devices cannot, each reason once. */
function refusals(rows: readonly KernelRow[]): HTMLElement[] {
  const calls = new Map<string, Set<string>>();
  for (const { device, cannot, kernel, format } of rows) {
    if (cannot === undefined) continue;
    const key = `${device} cannot: ${cannot}`;
    calls.set(
      key,
      (calls.get(key) ?? new Set()).add(format && !cannot.includes(format) ? `${kernel} ${format}` : kernel),
    );
  }
  return [...calls].map(([reason, names]) => element("p", `${reason}: ${[...names].join(", ")}`, "cannot"));
}

/** The section; undefined where there are not two devices to compare. */
export function sideBySideSection(
  rows: readonly KernelRow[],
  devices: readonly MeasuredDevice[],
  width: number,
): HTMLElement | undefined {
  const used = devices.filter(({ id }) => rows.some(({ device }) => device === id));
  if (used.length < 2) return undefined;
  const calls = sideBySide(rows, used);
  const head = ["call", "format", ...used.flatMap(({ id }) => [id, ""])];
  const lines = calls.map((one) => ({
    cells: [`${one.call.kernel}, ${one.call.label} ${one.call.size}`, one.call.format ?? "", ...cellsOf(one)],
  }));
  return section(
    "Devices side by side",
    `Of each call the fastest implementation of each device, and how many times as fast it is as that of ${used[0]!.id}.`,
    element("div", [ratioPlot(calls, used, width)], "wide"),
    Object.assign(table(head, lines), { className: "table pairs" }),
    ...refusals(rows),
  );
}
