// A kernel bench to look at: what was measured, plots, and the table, of the rows that the reader chooses.

import {
  groupsOf,
  isTooFast,
  isWithinNoise,
  ratesOf,
  type KernelResults,
  type KernelRow,
  type MeasuredDevice,
} from "../kernels/results.ts";
import {
  callText,
  errorText,
  FIGURES,
  figuresOf,
  gigaText,
  nameText,
  NOISE_NOTE,
  withoutRates,
} from "../kernels/text.ts";
import { element, section, table } from "./elements.ts";
import { barPlot, errorPlot, isEmpty, pointsOf, rooflinePlot } from "./plots.ts";
import { sideBySideSection } from "./side-by-side.ts";

type Field = "device" | "kernel" | "format" | "list";
const FIELDS: readonly (readonly [Field, string])[] = [
  ["device", "device"],
  ["kernel", "kernel"],
  ["format", "format"],
  ["list", "shapes"],
];
const WIDEST = 1100;
const NO_FORMAT = "without";

const valueOf = (row: KernelRow, field: Field): string => row[field] ?? NO_FORMAT;

/** The selects by which rows are chosen. */
function filterBar(rows: readonly KernelRow[], onChange: (isChosen: (row: KernelRow) => boolean) => void): HTMLElement {
  const chosen = new Map<Field, string>();
  const selects = FIELDS.map(([field, label]) => {
    const select = element("select");
    select.name = field;
    const values = [...new Set(rows.map((row) => valueOf(row, field)))].sort();
    for (const value of ["all", ...values]) select.append(new Option(value, value));
    select.addEventListener("change", () => {
      if (select.value === "all") chosen.delete(field);
      else chosen.set(field, select.value);
      onChange((row) => [...chosen].every(([name, value]) => valueOf(row, name) === value));
    });
    return element("label", [element("span", label), select]);
  });
  return element("form", selects, "filters");
}

const HEAD = ["device", "call", "format", "implementation", ...FIGURES];

/** All rows, of each call and device the fastest first. */
function rowTable(rows: readonly KernelRow[], { devices }: KernelResults): HTMLElement {
  const lines = groupsOf(rows).flatMap((group) =>
    group.map((row, i) => {
      const device = devices.find(({ id }) => id === row.device)!;
      const begin = [i === 0 ? row.device : "", i === 0 ? callText(row) : "", row.format ?? ""];
      const first = i === 0 ? "first" : "";
      if (row.cannot !== undefined) {
        const cell = element("td", `cannot: ${row.cannot}`, "cannot");
        cell.colSpan = HEAD.length - begin.length;
        return { cells: [...begin, cell], className: first };
      }
      const cells = [...begin, nameText(row), ...numbersOf(row, device, group)];
      if (row.failure !== undefined) return { cells, className: "wrong", title: row.failure };
      return { cells, className: first };
    }),
  );
  return Object.assign(table(HEAD, lines), { className: "table rows" });
}

/** Cells behind the name. */
function numbersOf(row: KernelRow, device: MeasuredDevice, group: readonly KernelRow[]): string[] {
  const rates = ratesOf(row, device);
  if (!rates) return [isTooFast(row) ? withoutRates(row) : "wrong", "", "", "", "", "", errorText(row)];
  return figuresOf(row, rates, isWithinNoise(row, group));
}

function peakText({ id, description, peak: { flopsPerSecond, bytesPerSecond } }: MeasuredDevice): string {
  if (flopsPerSecond === undefined || bytesPerSecond === undefined) return `${id}: ${description}`;
  const peaks = `${gigaText(flopsPerSecond)} GFLOP/s and ${gigaText(bytesPerSecond)} GB/s`;
  return `${id}: ${description}; at most ${peaks}, measured`;
}

/** Shows results in `root`, in place of what is there. */
export function showReport(root: HTMLElement, results: KernelResults): void {
  const { kedge, date, machine, devices, absent = [], rows, rounds } = results;
  const facts = element(
    "p",
    `kedge ${kedge}, ${date.slice(0, 10)}; ${machine.name}, ${machine.cores} cores; ${machine.host}; ${rounds} samples of each, taking turns.`,
    "note",
  );
  const peaks = element("ul", [
    ...devices.map((device) => element("li", peakText(device))),
    ...absent.map(({ id, reason }) => element("li", `${id} cannot: ${reason}`, "cannot")),
  ]);
  const body = element("div", "", "report");
  let chosen = rows;
  const draw = () => {
    body.dataset["rows"] = String(chosen.length);
    if (isEmpty({ rows: chosen })) {
      body.replaceChildren(element("p", "Nothing here has a time."), rowTable(chosen, results));
      return;
    }
    const width = Math.min(WIDEST, Math.max(320, root.clientWidth));
    const points = pointsOf(chosen, devices);
    const beside = sideBySideSection(chosen, devices, width);
    body.replaceChildren(
      ...(beside ? [beside] : []),
      section(
        "Under the roof",
        "What each implementation computes, by how much it computes with a byte. Lines: the measured peaks. Above the slope a cache is at work.",
        rooflinePlot(points, devices, width),
      ),
      section(
        "How much of the peak",
        "The time that the device's peaks allow, over the time taken. Thin lines: from the slowest sample to the fastest.",
        barPlot(points, width),
      ),
      section("How near to the reference", "1: as far off as a right implementation may be.", errorPlot(chosen, width)),
      section("All of it", `Of each call and device the fastest first. ${NOISE_NOTE}`, rowTable(chosen, results)),
    );
  };
  root.replaceChildren(
    facts,
    peaks,
    filterBar(rows, (isChosen) => {
      chosen = rows.filter(isChosen);
      draw();
    }),
    body,
  );
  draw();
  let width = root.clientWidth;
  new ResizeObserver(() => {
    if (root.clientWidth === width || !body.isConnected) return;
    width = root.clientWidth;
    draw();
  }).observe(root);
}
