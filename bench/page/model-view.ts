// What whole models did, device beside device.

import * as Plot from "@observablehq/plot";
import type { Spread } from "kedge/timing";
import type { AbsentDevice } from "../kernels/results.ts";
import { element, table } from "./elements.ts";
import type { ModelRow } from "../model-speed.ts";
import { style } from "./plots.ts";

const BAR_HEIGHT = 26;
const LABEL_WIDTH = 72;

function rateText(rate: number): string {
  return rate.toFixed(rate < 10 ? 2 : rate < 100 ? 1 : 0);
}
const spreadText = ({ median, least, most }: Spread): string =>
  `${rateText(median)} (${rateText(least)}–${rateText(most)})`;
/** Times as fast as the first device. */
const ratioText = (one: Spread, base: Spread): string => `${(one.median / base.median).toFixed(2)}×`;

function bars(title: string, rows: readonly ModelRow[], of: (row: ModelRow) => Spread, width: number): HTMLElement {
  const most = Math.max(...rows.map((row) => of(row).most));
  const plot = Plot.plot({
    ...{ width, style },
    height: rows.length * BAR_HEIGHT + 34,
    marginLeft: LABEL_WIDTH,
    marginRight: 56,
    x: { domain: [0, most], grid: true, label: null, ticks: 4 },
    y: { label: null, domain: rows.map(({ device }) => device) },
    marks: [
      Plot.barX(rows, { x: (row) => of(row).median, y: "device", fill: "var(--bar)", insetTop: 3, insetBottom: 3 }),
      Plot.ruleY(rows, {
        x1: (row: ModelRow) => of(row).least,
        x2: (row: ModelRow) => of(row).most,
        y: "device",
        stroke: "currentColor",
        strokeWidth: 1.5,
      }),
      Plot.text(rows, {
        x: (row: ModelRow) => of(row).most,
        y: "device",
        text: (row: ModelRow) => rateText(of(row).median),
        textAnchor: "start",
        dx: 6,
      }),
    ],
  });
  return element("figure", [element("figcaption", title), plot]);
}

/** Shows the rows in `root`, in place of what is there. */
export function showModels(root: HTMLElement, rows: readonly ModelRow[], absent: readonly AbsentDevice[]): void {
  const [first] = rows;
  const refused = absent.map(({ id, reason }) => element("p", `${id} cannot: ${reason}`, "cannot"));
  if (!first) return root.replaceChildren(...refused);
  const head = ["device", "prefill tokens/s", "", "decode tokens/s", "", "weights", "loaded in", "what it is"];
  const lines = rows.map((row) => ({
    cells: [
      row.device,
      spreadText(row.promptTokensPerSecond),
      ratioText(row.promptTokensPerSecond, first.promptTokensPerSecond),
      spreadText(row.tokensPerSecond),
      ratioText(row.tokensPerSecond, first.tokensPerSecond),
      `${(row.weightBytes / 1e6).toFixed(1)} MB`,
      `${row.loadSeconds.toFixed(2)} s`,
      row.description,
    ],
  }));
  const width = Math.max(280, Math.min(540, root.clientWidth > 720 ? root.clientWidth / 2 - 10 : root.clientWidth));
  const note = `${first.model}: ${first.promptTokens} tokens read, ${first.tokens} written greedily; median (least–most), and times as fast as ${first.device}.`;
  root.replaceChildren(
    element("p", note, "note"),
    Object.assign(table(head, lines), { className: "table models" }),
    element(
      "div",
      [
        bars("Prefill, tokens/s", rows, (row) => row.promptTokensPerSecond, width),
        bars("Decode, tokens/s", rows, (row) => row.tokensPerSecond, width),
      ],
      "figures",
    ),
    ...refused,
  );
}
