// The bench in a page: the visitor chooses devices, and a model or kernels and shapes, and sees what this machine makes of them.

import { kernels, type MatrixFormat } from "kedge/kernels";
import manifest from "../../package.json" with { type: "json" };
import { FORMATS, measureDevices, measureKernels, SLOW_PEAK, type MeasureOptions } from "../kernels/measure.ts";
import type { KernelResults, KernelRow } from "../kernels/results.ts";
import type { ModelRow } from "../model-speed.ts";
import { casesOf, SHAPE_LISTS } from "../kernels/shapes.ts";
import { deviceChoices, devicesAsked, devicesHere, openAll } from "./devices.ts";
import { fill, found } from "./elements.ts";
import { measureModel } from "./models.ts";
import { showModels } from "./model-view.ts";
import { showReport } from "./report-view.ts";
import { runOnSubmit, type TaskHandle } from "./task.ts";

const ALL = "all";
const SECONDS_PER_RUN = 0.02;
const MODELS = ["kedge-js-5m", "kedge-js-5m-anchor"];

const modelForm = found("#ask-model", HTMLFormElement);
const modelOutput = found("#models", HTMLElement);
const kernelForm = found("#ask", HTMLFormElement);
const kernelOutput = found("main", HTMLElement);
const download = found("#download", HTMLButtonElement);
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

/** Times the kernels that the form asks for, and shows what was found, also where it was stopped. */
async function runKernels({ signal, say }: TaskHandle): Promise<string> {
  const [kernel, format] = [asked(kernelForm, "kernel"), asked(kernelForm, "format")];
  const rounds = Number(asked(kernelForm, "rounds"));
  const shapes = asked(kernelForm, "shapes");
  const cases = casesOf(shapes).filter((one) => kernel === ALL || one.kernel.name === kernel);
  if (cases.length === 0) throw new Error(`these shapes have no ${kernel}: choose others`);
  const { opened, absent } = await openAll(devicesAsked(asked(kernelForm, "device"), here));
  const rows: KernelRow[] = [];
  try {
    const date = new Date().toISOString();
    const options: MeasureOptions = {
      cases,
      formats: format === ALL ? FORMATS : [format as MatrixFormat],
      isWanted: () => true,
      rivals: [],
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
    results = { kedge: manifest.version, date, machine: machine(), devices, absent, rounds, rows };
    download.disabled = false;
    showReport(kernelOutput, results);
    const count = rows.filter(({ cannot }) => cannot === undefined).length;
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

download.addEventListener("click", () => {
  const all = { kedge: manifest.version, date: new Date().toISOString(), machine: machine(), ...results, models };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(all, null, 1)], { type: "application/json" }));
  link.download = "kedge-bench.json";
  link.click();
  URL.revokeObjectURL(link.href);
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
