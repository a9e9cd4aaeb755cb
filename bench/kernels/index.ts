// `npm run bench kernels` and `npm run bench check`: times kernels one by one, and compares with saved results. options.ts has the
// command line, measure.ts the measurement, results.ts the form of the results.

import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { resolve } from "node:path";
import { chooseDevice, openDevice } from "kedge/devices";
import { replaceableFile, writeWholeFile } from "kedge/loaders";
import manifest from "../../package.json" with { type: "json" };
import { compareResults, kept, machineKind, save, type Comparison } from "./baseline.ts";
import { htmlOf } from "./html.ts";
import { markdownOf } from "./markdown.ts";
import { measureDevices, measureKernels, type MeasureOptions, type OpenedDevice } from "./measure.ts";
import { readOptions, USAGE, UsageError, type DeviceRequest, type KernelBenchOptions } from "./options.ts";
import { rivalOf, type Rival } from "./rival.ts";
import type { KernelResults } from "./results.ts";
import { casesOf } from "./shapes.ts";
import { percentText, timeText } from "./text.ts";
import { sentenceOf } from "../standard-output.ts";

/** Where results are kept. */
const FOLDER = "bench/results";

async function devicesAtHand(): Promise<readonly DeviceRequest[]> {
  const { name } = await chooseDevice();
  return name === "webgpu"
    ? [
        { id: "wasm", name: "wasm" },
        { id: "webgpu", name: "webgpu" },
      ]
    : [{ id: "wasm", name: "wasm" }];
}

/** Loads modules, TypeScript or not, that export a rival. */
async function loadRivals(paths: readonly string[]): Promise<Rival[]> {
  const rivals: Rival[] = [];
  for (const path of paths) {
    const { runnerImport } = await import("vite");
    const { module } = await runnerImport(resolve(path), { configFile: false, logLevel: "error" });
    rivals.push(rivalOf(module, path));
  }
  return rivals;
}

async function openAll(requests: readonly DeviceRequest[], rivals: readonly Rival[]): Promise<OpenedDevice[]> {
  const modules = rivals.flatMap(({ module }) => (module ? [module] : []));
  const opened: OpenedDevice[] = [];
  for (const { id, name, threads } of requests) {
    const options = { wasm: { modules }, threads };
    opened.push({ id, device: await openDevice(name, options) });
  }
  return opened;
}

function say(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
}

async function measure(options: KernelBenchOptions): Promise<KernelResults> {
  // what cannot be written is said before minutes of measurement
  for (const path of [options.json, options.markdown, options.html]) if (path !== undefined) replaceableFile(path);
  const rivals = await loadRivals(options.rivals);
  const cases = options.shapes.flatMap(casesOf).filter(({ kernel }) => options.kernels.includes(kernel.name));
  const opened = await openAll(options.devices ?? (await devicesAtHand()), rivals);
  try {
    const asked: MeasureOptions = { ...options, cases, rivals, onProgress: say };
    const devices = await measureDevices(opened, asked);
    const rows = await measureKernels(opened, asked);
    say("");
    const machine = {
      name: cpus()[0]?.model.trim() ?? "an unknown processor",
      cores: availableParallelism(),
      host: `Node ${process.version}, ${process.platform} ${process.arch}`,
    };
    return { kedge: manifest.version, date: new Date().toISOString(), machine, devices, rounds: options.rounds, rows };
  } finally {
    for (const { device } of opened) await device.dispose();
  }
}

async function write(results: KernelResults, { json, markdown, html }: KernelBenchOptions): Promise<void> {
  const text = markdownOf(results);
  console.log(text);
  if (json !== undefined) writeWholeFile(json, `${JSON.stringify(results, null, 1)}\n`);
  if (markdown !== undefined) writeWholeFile(markdown, text);
  if (html !== undefined) writeWholeFile(html, await htmlOf(results));
}

function comparisonText({ compared, regressions, lost }: Comparison): string {
  const slower = regressions.map(
    ({ row, before, after, ratio, allowed }) =>
      `${row.device}: ${row.implementation}${row.format ? ` ${row.format}` : ""}, ${row.label} ${row.size} takes ` +
      `${timeText(after.median)}, ${ratio.toFixed(2)} times the ${timeText(before.median)} before; ${percentText(allowed - 1)} is noise`,
  );
  const gone = lost.map(
    (row) =>
      `${row.device}: ${row.implementation}, ${row.label} ${row.size} has no time any more: ${row.failure ?? "left out"}`,
  );
  const verdict = slower.length + gone.length === 0 ? "none is worse" : `${slower.length + gone.length} are worse`;
  return [...slower, ...gone, `${compared} compared, ${verdict}`].join("\n");
}

/** Compares with what was kept; a regression is exit code 1. */
async function check(options: KernelBenchOptions): Promise<void> {
  const { from } = options;
  const results =
    from === undefined ? await measure(options) : (JSON.parse(readFileSync(from, "utf8")) as KernelResults);
  if (from === undefined) await write(results, options);
  const earlier = kept(FOLDER).filter(({ date }) => date !== results.date);
  const comparison = compareResults(results, earlier);
  if (comparison) {
    console.log(comparisonText(comparison));
    if (comparison.regressions.length + comparison.lost.length > 0) process.exitCode = 1;
  } else {
    const kinds = results.devices.map(({ description }) => machineKind(results, description));
    const advice = options.isSaved ? "" : "; --save keeps this one to compare with";
    console.log(`${FOLDER} has nothing to compare with for ${kinds.join(" or ")}${advice}`);
  }
  if (options.isSaved) console.log(`kept in ${save(FOLDER, results)}`);
}

/** Runs one of the two verbs; a failure is a sentence on stderr and an exit code, 2 for a wrong command line. */
export async function benchKernels(verb: "kernels" | "check", args: readonly string[]): Promise<void> {
  try {
    const options = readOptions(args);
    if (!options) return console.log(USAGE);
    if (verb === "check") await check(options);
    else {
      const results = await measure(options);
      await write(results, options);
      if (options.isSaved) console.log(`kept in ${save(FOLDER, results)}`);
      if (results.rows.length === 0)
        throw new UsageError("nothing of that name fits these shapes, formats and devices");
    }
  } catch (error) {
    const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
    console.error(`bench: ${sentenceOf(error)}`);
    if (isUsage) console.error(USAGE);
    process.exitCode = isUsage ? 2 : 1;
  }
}
