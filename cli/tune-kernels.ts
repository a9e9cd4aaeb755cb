// kedge tune-kernels: times the kernel variants that fit a model on this machine's devices, and keeps which are fastest; models
// that are loaded afterwards follow what is kept.

import type { Command } from "commander";
import { UnsupportedError } from "kedge";
import { type DeviceIdentity } from "kedge/devices";
import {
  forgetKernelChoices,
  keptKernelChoices,
  type KernelChoice,
  type KernelTuning,
  type KeptChoices,
} from "kedge/timing";
import type { QuantizedFormat } from "kedge/kernels";
import { addJson, addQuantize, UsageError, whole } from "./arguments.ts";
import * as format from "./format.ts";
import { loadOptions, withModel } from "./loading.ts";
import { findModel } from "./model-source.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

const DEVICES = ["wasm", "webgpu"] as const;
type TunedDevice = (typeof DEVICES)[number];

interface TuneKernelsArguments {
  readonly device: readonly TunedDevice[];
  readonly threads?: number;
  readonly quantize?: QuantizedFormat | undefined;
  readonly quick?: boolean;
  readonly approximate?: boolean;
  readonly reset?: boolean;
  readonly list?: boolean;
  readonly json?: boolean;
}

/** The result of tuning one model on one device. */
interface Tuned extends KernelTuning {
  readonly model: string;
  readonly device: TunedDevice;
  readonly description: string;
}

const DEFAULT_MODEL = "models/kedge-js-5m";

function devices(text: string): readonly TunedDevice[] {
  if (text === "all") return DEVICES;
  const found = DEVICES.find((name) => name === text);
  if (found) return [found];
  throw new UsageError(`--device is "${text}": wanted wasm, webgpu or all`);
}

/** `kedge tune-kernels [MODEL…]` */
export const tuneKernels: Verb = {
  name: "tune-kernels",
  configure(command: Command) {
    command
      .summary("time the kernel variants on this machine and keep the fastest")
      .description(
        "Times every kernel variant that fits a model, on this machine's devices, and keeps which are fastest: models loaded afterwards use them. Results stay the same to rounding.",
      )
      .argument(
        "[models...]",
        `folders, http(s) addresses, or owner/name on the Hugging Face Hub (default: ${DEFAULT_MODEL})`,
      )
      .option("-d, --device <name>", "wasm, webgpu or all", devices, DEVICES)
      .option("--threads <n>", "threads of wasm (default: as many as help)", whole("--threads", 1, 256))
      .option("--quick", "only the heaviest calls, within about a second")
      .option("--approximate", "also variants that round more; followed only by who allows them")
      .option("--reset", "forget what is kept, first")
      .option("--list", "say what is kept, and time nothing");
    addJson(addQuantize(command));
  },
  async execute(terminal, sources, given: TuneKernelsArguments) {
    if (given.reset) await forgetKernelChoices();
    const models = sources.filter((source) => source !== undefined);
    const isTiming = !given.list && !(given.reset && models.length === 0);
    const tuned = isTiming ? await tuneAll(terminal, models.length > 0 ? models : [DEFAULT_MODEL], given) : [];
    const kept = await keptKernelChoices();
    if (given.json) terminal.printJson({ ...kept, tuned });
    else if (given.list) tellKept(terminal, kept);
    else if (isTiming) tellPlace(terminal, kept);
    else terminal.note(`nothing is kept in ${kept.place ?? "this process"} any more`);
    return 0;
  },
};

async function tuneAll(terminal: Terminal, models: readonly string[], given: TuneKernelsArguments): Promise<Tuned[]> {
  const tuned: Tuned[] = [];
  for (const source of models) {
    const found = await findModel(source, terminal);
    for (const device of given.device) {
      const { threads, quantize } = given;
      const ofDevice = device === "wasm" && threads !== undefined ? { device, threads } : { device };
      const options = loadOptions({ ...ofDevice, quantize });
      try {
        await withModel(found, { ...options, tune: "never" }, terminal, async ({ model, name }) => {
          const result = await terminal.withBar((bar) =>
            model.tuneKernels({
              isQuick: given.quick ?? false,
              allowApproximate: given.approximate ?? false,
              signal: terminal.signal,
              onProgress: (done, of, detail) => bar.update(done, of, `timing ${detail}`),
            }),
          );
          const one = { model: name, device, description: model.device.description, ...result };
          tuned.push(one);
          if (!given.json) tell(terminal, one);
        });
      } catch (error) {
        // of all devices, those that are there
        if (given.device.length === 1 || !(error instanceof UnsupportedError)) throw error;
        terminal.note(`${device}: ${error.message}`);
      }
    }
  }
  return tuned;
}

function tell(terminal: Terminal, { description, choices, seconds, isComplete }: Tuned): void {
  const better = choices.filter(({ implementation, preset }) => implementation !== preset);
  const scope = isComplete ? "" : "; time was up before all were timed";
  terminal.print(
    `${terminal.style(description, "bold")}: ${format.plural(choices.length, "choice")} timed in ${format.duration(seconds)}${scope}; ` +
      (better.length === 0
        ? "the preset variant is the fastest everywhere"
        : `${better.length} better than the preset`),
  );
  if (better.length > 0) terminal.print(...tableOf(better));
}

function tableOf(choices: readonly KernelChoice[]): string[] {
  const lines = choices.map(({ call, rows, implementation, preset, seconds, presetSeconds }) => [
    `  ${call}`,
    format.plural(rows, "row"),
    implementation === preset ? implementation : `${implementation} for ${preset}`,
    format.duration(seconds),
    seconds > 0 ? `${format.digits(presetSeconds / seconds)}x` : "",
  ]);
  return format.table(lines, [1, 3, 4]);
}

function tellPlace(terminal: Terminal, { place }: KeptChoices): void {
  if (place === null) terminal.warn("note: nothing is kept: there is no place for it here");
  else terminal.note(`kept in ${place}`);
}

function tellKept(terminal: Terminal, { place, records }: KeptChoices): void {
  if (records.length === 0) terminal.print(`nothing is kept${place === null ? "" : ` in ${place}`}`);
  for (const { identity, version, isApproximate, choices } of records) {
    const permission = isApproximate ? ", approximate ones allowed" : "";
    terminal.print(`${terminal.style(nameOf(identity), "bold")}, kedge ${version}${permission}`, ...tableOf(choices));
  }
  if (records.length > 0) tellPlace(terminal, { place, records });
}

function nameOf(identity: DeviceIdentity): string {
  return Object.entries(identity)
    .filter(([, fact]) => fact !== "")
    .map(([name, fact]) => (name === "device" ? String(fact) : `${name} ${fact}`))
    .join(", ");
}
