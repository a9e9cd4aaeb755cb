// A kernel bench to look at: what was measured, plots, and the table, of the rows that the reader chooses.

import { ratesOf, groupsOf, type KernelResults, type KernelRow } from "../kernels/results.ts";
import { errorText, gigaText, percentText, timeText } from "../kernels/text.ts";
import { barPlot, errorPlot, isEmpty, pointsOf, rooflinePlot } from "./plots.ts";

type Field = "device" | "kernel" | "format" | "list";
const FIELDS: readonly (readonly [Field, string])[] = [
  ["device", "device"],
  ["kernel", "kernel"],
  ["format", "format"],
  ["list", "shapes"],
];
const WIDEST = 1100;
const NO_FORMAT = "without";

function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  content: string | readonly Node[] = "",
  className = "",
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (typeof content === "string") made.textContent = content;
  else made.append(...content);
  if (className !== "") made.className = className;
  return made;
}

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

function table(rows: readonly KernelRow[], { devices }: KernelResults): HTMLElement {
  const head = [
    "device",
    "call",
    "format",
    "implementation",
    "time",
    "±",
    "GFLOP/s",
    "GB/s",
    "of peak",
    "largest error",
  ];
  const body = groupsOf(rows).flatMap((group) =>
    group.map((row, i) => {
      const device = devices.find(({ id }) => id === row.device)!;
      const rates = ratesOf(row, device);
      const call = i === 0 ? `${row.kernel}, ${row.label} ${row.size}${row.isStreamed ? ", cold" : ""}` : "";
      const numbers = rates
        ? [
            timeText(row.seconds!.median),
            percentText(rates.spread),
            row.flops > 0 ? gigaText(rates.flopsPerSecond) : "",
            gigaText(rates.bytesPerSecond),
            rates.shareOfPeak === undefined ? "" : `${percentText(rates.shareOfPeak)} ${rates.limit}`,
          ]
        : ["wrong", "", "", "", ""];
      const name = `${row.implementation}${row.isRival ? " (rival)" : ""}`;
      const cells = [i === 0 ? row.device : "", call, row.format ?? "", name, ...numbers, errorText(row)];
      const line = element(
        "tr",
        cells.map((cell) => element("td", cell)),
        row.failure === undefined ? (i === 0 ? "first" : "") : "wrong",
      );
      if (row.failure !== undefined) line.title = row.failure;
      return line;
    }),
  );
  const titles = element(
    "tr",
    head.map((title) => element("th", title)),
  );
  return element("div", [element("table", [element("thead", [titles]), element("tbody", body)])], "table");
}

function section(title: string, note: string, content: Element): HTMLElement {
  return element("section", [element("h2", title), element("p", note, "note"), content]);
}

/** Shows results in `root`, in place of what is there. */
export function showReport(root: HTMLElement, results: KernelResults): void {
  const { kedge, date, machine, devices, rows, rounds } = results;
  const facts = element(
    "p",
    `kedge ${kedge}, ${date.slice(0, 10)}; ${machine.name}, ${machine.cores} cores; ${machine.host}; ${rounds} samples of each, taking turns.`,
    "note",
  );
  const peaks = element(
    "ul",
    devices.map(({ id, description, peak: { flopsPerSecond = 0, bytesPerSecond = 0 } }) =>
      element(
        "li",
        `${id}: ${description}; at most ${gigaText(flopsPerSecond)} GFLOP/s and ${gigaText(bytesPerSecond)} GB/s, measured`,
      ),
    ),
  );
  const body = element("div", "", "report");
  let chosen = rows;
  const draw = () => {
    body.dataset["rows"] = String(chosen.length);
    if (isEmpty({ rows: chosen })) {
      body.replaceChildren(element("p", "Nothing here has a time."), table(chosen, results));
      return;
    }
    const width = Math.min(WIDEST, Math.max(320, root.clientWidth));
    const points = pointsOf(chosen, devices);
    body.replaceChildren(
      section(
        "Under the roof",
        "What each implementation computes, by how much it computes with a byte. Lines: the measured peaks. Above the slope a cache is at work.",
        rooflinePlot(points, devices, width),
      ),
      section(
        "How much of the peak",
        "The time that the device's peaks allow, over the time taken. Black lines: from the slowest sample to the fastest.",
        barPlot(points, width),
      ),
      section("How near to the reference", "1: as far off as a right implementation may be.", errorPlot(chosen, width)),
      section("All of it", "Of each call the fastest first.", table(chosen, results)),
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
