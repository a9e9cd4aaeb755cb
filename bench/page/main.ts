// The kernel bench in a page: the visitor chooses a device, kernels and shapes, and sees what this machine makes of them.

import { openDevice, probeWebGpu } from "kedge";
import { kernels, type MatrixFormat } from "kedge/kernels";
import manifest from "../../package.json" with { type: "json" };
import { FORMATS, measureDevices, measureKernels, type MeasureOptions } from "../kernels/measure.ts";
import type { KernelResults } from "../kernels/results.ts";
import { casesOf, SHAPE_LISTS } from "../kernels/shapes.ts";
import { showReport } from "./report-view.ts";

const ALL = "all";
const SECONDS_PER_RUN = 0.02;

function found<E extends Element>(selector: string, kind: new () => E): E {
  const element = document.querySelector(selector);
  if (element instanceof kind) return element;
  throw new Error(`the page has no ${selector}`);
}

const form = found("#ask", HTMLFormElement);
const main = found("main", HTMLElement);
const status = found("#status", HTMLElement);
const stop = found("#stop", HTMLButtonElement);
const download = found("#download", HTMLButtonElement);

function fill(name: string, values: readonly string[], chosen: string): void {
  const select = found(`select[name=${name}]`, HTMLSelectElement);
  for (const value of values) select.append(new Option(value, value, value === chosen, value === chosen));
}

function asked(name: string): string {
  return String(new FormData(form).get(name));
}

function machine(): KernelResults["machine"] {
  return {
    name: navigator.platform || "a machine that keeps its name",
    cores: navigator.hardwareConcurrency,
    host: navigator.userAgent,
  };
}

/** What the form asks for; what is found is shown as it comes. */
async function run(signal: AbortSignal): Promise<KernelResults> {
  const [id, kernel, format] = [asked("device"), asked("kernel"), asked("format")];
  const rounds = Number(asked("rounds"));
  const cases = casesOf(asked("shapes")).filter((one) => kernel === ALL || one.kernel.name === kernel);
  const device = await openDevice(id as "wasm" | "webgpu" | "reference");
  try {
    const opened = [{ id, device }];
    const date = new Date().toISOString();
    const options: MeasureOptions = {
      cases,
      formats: format === ALL ? FORMATS : [format as MatrixFormat],
      isWanted: () => true,
      rivals: [],
      rounds,
      secondsPerRun: SECONDS_PER_RUN,
      cache: "auto",
      signal,
      onProgress: (what) => (status.textContent = what),
    };
    const devices = await measureDevices(opened, options);
    const rows = await measureKernels(opened, options);
    return { kedge: manifest.version, date, machine: machine(), devices, rounds, rows };
  } finally {
    await device.dispose();
  }
}

let results: KernelResults | undefined;
let controller = new AbortController();

async function start(): Promise<void> {
  controller = new AbortController();
  const runButton = found("#ask button", HTMLButtonElement);
  [runButton.disabled, stop.disabled, main.dataset["state"]] = [true, false, "running"];
  try {
    results = await run(controller.signal);
    download.disabled = false;
    status.textContent = `${results.rows.length} implementations in their calls`;
    showReport(main, results);
    main.dataset["state"] = "done";
  } catch (error) {
    status.textContent = error instanceof Error ? error.message : String(error);
    main.dataset["state"] = controller.signal.aborted ? "ready" : "failed";
  } finally {
    [runButton.disabled, stop.disabled] = [false, true];
  }
}

download.addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(results, null, 1)], { type: "application/json" }));
  link.download = "kedge-kernels.json";
  link.click();
  URL.revokeObjectURL(link.href);
});
stop.addEventListener("click", () => controller.abort(new Error("stopped")));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  void start();
});

const probe = await probeWebGpu();
fill(
  "device",
  ["wasm", ...(probe.isAvailable ? ["webgpu"] : []), "reference"],
  probe.isAvailable && !probe.isSoftware ? "webgpu" : "wasm",
);
fill("kernel", [ALL, ...kernels.map(({ name }) => name)], "linear");
fill("format", [ALL, ...FORMATS], ALL);
fill("shapes", SHAPE_LISTS, "square");
status.textContent = probe.isAvailable ? `this browser's GPU: ${probe.description}` : `no GPU here: ${probe.reason}`;
main.dataset["state"] = "ready";
