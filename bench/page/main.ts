// The bench in a page: the visitor chooses devices, and a model or kernels and shapes, and sees what this machine makes of them.

import { kernels, type MatrixFormat } from "kedge/kernels";
import manifest from "../../package.json" with { type: "json" };
import { FORMATS, measureDevices, measureKernels, SLOW_PEAK, type MeasureOptions } from "../kernels/measure.ts";
import { csvOf } from "../kernels/csv.ts";
import type { KernelResults, KernelRow } from "../kernels/results.ts";
import { faultsOf, rivalsOf, type Rival } from "../kernels/rival.ts";
import type { ModelRow } from "../model-speed.ts";
import { casesOf, SHAPE_LISTS } from "../kernels/shapes.ts";
import { deviceChoices, devicesAsked, devicesHere, openAll } from "./devices.ts";
import { fill, found } from "./elements.ts";
import { measureModel } from "./models.ts";
import { showModels } from "./model-view.ts";
import { showReport } from "./report-view.ts";
import { runOnSubmit, type TaskHandle } from "./task.ts";

/** The commit that the page was built from, set by vite.config.ts; empty outside a clone. */
declare const KEDGE_COMMIT: string;

const ALL = "all";
const SECONDS_PER_RUN = 0.02;
const MODELS = ["kedge-js-5m", "kedge-js-5m-anchor"];

const modelForm = found("#ask-model", HTMLFormElement);
const modelOutput = found("#models", HTMLElement);
const kernelForm = found("#ask", HTMLFormElement);
const kernelOutput = found("main", HTMLElement);
const download = found("#download", HTMLButtonElement);
const downloadCsv = found("#download-csv", HTMLButtonElement);
const asked = (form: HTMLFormElement, name: string) => String(new FormData(form).get(name));

let results: KernelResults | undefined;
let models: readonly ModelRow[] = [];

function machine(): KernelResults["machine"] {
  return {
    name: navigator.platform || "a machine that keeps its name",
    cores: navigator.hardwareConcurrency,
    host: navigator.userAgent,
  };
}

/** The rivals in the files that the form names. */
async function rivalsAsked(): Promise<Rival[]> {
  const files = new FormData(kernelForm).getAll("rivals").filter((one) => one instanceof File && one.size > 0);
  const rivals = (files as File[]).map(async (file) => {
    const url = URL.createObjectURL(new Blob([file], { type: "text/javascript" }));
    try {
      return rivalsOf(await import(/* @vite-ignore */ url), file.name);
    } finally {
      URL.revokeObjectURL(url);
    }
  });
  return (await Promise.all(rivals)).flat();
}

/** Times the kernels that the form asks for, and shows what was found, also where it was stopped. */
async function runKernels({ signal, say }: TaskHandle): Promise<string> {
  const [kernel, format] = [asked(kernelForm, "kernel"), asked(kernelForm, "format")];
  const rounds = Number(asked(kernelForm, "rounds"));
  const shapes = asked(kernelForm, "shapes");
  const cases = casesOf(shapes).filter((one) => kernel === ALL || one.kernel.name === kernel);
  if (cases.length === 0) throw new Error(`these shapes have no ${kernel}: choose others`);
  const rivals = await rivalsAsked();
  const modules = rivals.flatMap(({ module }) => (module ? [module] : []));
  const { opened, absent } = await openAll(devicesAsked(asked(kernelForm, "device"), here), modules);
  const rows: KernelRow[] = [];
  try {
    const date = new Date().toISOString();
    const options: MeasureOptions = {
      cases,
      formats: format === ALL ? FORMATS : [format as MatrixFormat],
      isWanted: () => true,
      rivals,
      rounds,
      secondsPerRun: SECONDS_PER_RUN,
      // The tiny calls show that a device works: they come near no peak, and no copies of their weights fill a cache.
      ...(shapes === "tiny" ? { cache: "hot", peak: SLOW_PEAK } : { cache: "auto" }),
      signal,
      onProgress: say,
      onRow: (row) => rows.push(row),
    };
    const devices = await measureDevices(opened, options);
    const stopped = await measureKernels(opened, options).then(
      () => "",
      (error: unknown) => {
        if (!signal.aborted || rows.length === 0) throw error;
        return "; stopped before the rest";
      },
    );
    const commit = KEDGE_COMMIT === "" ? {} : { commit: KEDGE_COMMIT };
    results = { kedge: manifest.version, ...commit, date, machine: machine(), devices, absent, rounds, rows };
    download.disabled = false;
    downloadCsv.disabled = false;
    showReport(kernelOutput, results);
    const count = rows.filter(({ cannot }) => cannot === undefined).length;
    const { wrong, idle } = faultsOf(rivals, rows);
    if (wrong.length + idle.length > 0 && stopped === "") {
      const names = [
        ...wrong.map(({ implementation }) => `${implementation} is wrong`),
        ...idle.map(({ implementation }) => `${implementation.name} fits none of the calls`),
      ];
      throw new Error([...new Set(names)].join("; "));
    }
    return `${count} ${count === 1 ? "implementation in its call" : "implementations in their calls"}${stopped}`;
  } finally {
    for (const { device } of opened) await device.dispose();
  }
}

/** Times the model that the form asks for. */
async function runModel({ signal, say }: TaskHandle): Promise<string> {
  const number = (name: string) => Number(asked(modelForm, name));
  const { rows, absent } = await measureModel({
    model: asked(modelForm, "model"),
    ids: devicesAsked(asked(modelForm, "device"), here),
    promptTokens: number("promptTokens"),
    tokens: number("tokens"),
    rounds: number("rounds"),
    signal,
    say,
  });
  models = rows;
  download.disabled = false;
  showModels(modelOutput, rows, absent);
  return `${rows.length} ${rows.length === 1 ? "device" : "devices"}, in turns`;
}

function save(name: string, type: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

download.addEventListener("click", () => {
  const all = { kedge: manifest.version, date: new Date().toISOString(), machine: machine(), ...results, models };
  save("kedge-bench.json", "application/json", JSON.stringify(all, null, 1));
});
downloadCsv.addEventListener("click", () => {
  if (results) save("kedge-bench.csv", "text/csv", csvOf(results));
});

const here = await devicesHere();
const choices = deviceChoices(here);
const [preferred] = choices;
const first = typeof preferred === "string" ? preferred : preferred![0];
fill(modelForm, "model", MODELS, MODELS[0]!);
fill(modelForm, "device", choices, first);
fill(kernelForm, "device", [...choices, "reference"], first);
fill(kernelForm, "kernel", [ALL, ...kernels.map(({ name }) => name)], "linear");
fill(kernelForm, "format", [ALL, ...FORMATS], ALL);
fill(kernelForm, "shapes", SHAPE_LISTS, "square");
found("#machine", HTMLElement).textContent = here.note;
for (const task of [runOnSubmit(modelForm, modelOutput, runModel), runOnSubmit(kernelForm, kernelOutput, runKernels)])
  task.setState("ready", "");
