// `npm run bench kernels`, `check` and `compare`: times kernels one by one, and compares results. options.ts has the command line,
// measure.ts the measurement, results.ts the form of the results.

import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { resolve } from "node:path";
import { UnsupportedError } from "kedge";
import { chooseDevice, openDevice, probeWebGpu } from "kedge/devices";
import { replaceableFile, writeWholeFile } from "kedge/loaders";
import manifest from "../../package.json" with { type: "json" };
import { gpuImplementations } from "kedge/kernels";
import { commitOf } from "../commit.ts";
import { compareResults, kept, machineKind, save } from "./baseline.ts";
import { compareFiles, comparisonText } from "./comparison.ts";
import { csvOf } from "./csv.ts";
import { htmlOf } from "./html.ts";
import { markdownOf } from "./markdown.ts";
import { measureDevices, measureKernels, type MeasureOptions, type OpenedDevice } from "./measure.ts";
import { readOptions, USAGE, UsageError, type DeviceRequest, type KernelBenchOptions } from "./options.ts";
import { faultsOf, rivalsOf, type Rival } from "./rival.ts";
import { readResults, type KernelResults, type KernelRow } from "./results.ts";
import { SIZES } from "./shapes.ts";
import { overrideNames, type Sweep } from "./sweep.ts";
import { sentenceOf } from "../standard-output.ts";

/** Where results are kept. */
const FOLDER = "bench/results";

async function devicesAtHand({ isSoftware }: KernelBenchOptions): Promise<readonly DeviceRequest[]> {
  const wasm: DeviceRequest = { id: "wasm", name: "wasm" };
  const webgpu: DeviceRequest = { id: "webgpu", name: "webgpu" };
  if (isSoftware || (await chooseDevice()).name === "webgpu") return [wasm, webgpu];
  console.error("no GPU here: wasm alone is timed; --adapter software times webgpu on a software adapter");
  return [wasm];
}

/** Loads modules, TypeScript or not, that export a rival. */
async function loadRivals({ rivals: paths, sweeps }: KernelBenchOptions): Promise<Rival[]> {
  const rivals: Rival[] = [];
  for (const path of paths) {
    const { runnerImport } = await import("vite");
    const { module } = await runnerImport(resolve(path), { configFile: false, logLevel: "error" });
    rivals.push(...rivalsOf(module, path, sweeps));
  }
  return rivals;
}

/** The software adapter: SwiftShader, which comes with a clone's npm packages. */
async function openSoftware(): Promise<GPU> {
  const { openSoftwareGpu } = await import("../software-gpu/software-gpu.ts");
  return openSoftwareGpu("swiftshader");
}

async function openAll(
  requests: readonly DeviceRequest[],
  rivals: readonly Rival[],
  { isSoftware }: KernelBenchOptions,
): Promise<OpenedDevice[]> {
  const modules = [...new Set(rivals.flatMap(({ module }) => (module ? [module] : [])))];
  const opened: OpenedDevice[] = [];
  for (const { id, name, threads } of requests) {
    const gpu = isSoftware && name === "webgpu" ? await openSoftware() : undefined;
    try {
      const device = await openDevice(name, { wasm: { modules }, webgpu: { gpu }, threads });
      const isSlow = name === "webgpu" && (isSoftware || (await probeWebGpu()).isSoftware);
      opened.push({ id, device, isSlow });
    } catch (error) {
      for (const { device } of opened) await device.dispose();
      if (name !== "webgpu" || isSoftware || !(error instanceof UnsupportedError)) throw error;
      throw new Error(`${error.message}; --adapter software times webgpu on a software adapter`, { cause: error });
    }
  }
  return opened;
}

/** Throws a UsageError for a name of `--set` that nothing here has. */
async function checkSweeps(sweeps: readonly Sweep[], rivals: readonly Rival[]): Promise<void> {
  if (sweeps.length === 0) return;
  const overrides = await Promise.all([...gpuImplementations.values()].flat().map(overrideNames));
  const known = new Set(overrides.flat());
  for (const { name } of sweeps) {
    if (known.has(name) || rivals.some(({ parameters }) => parameters.includes(name))) continue;
    const names = [...Object.keys(SIZES), ...[...known].sort()].join(", ");
    throw new UsageError(`--set names ${name}, which no shape, WGSL override or rival has: use ${names}`);
  }
}

function say(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
}

async function measure(options: KernelBenchOptions): Promise<KernelResults> {
  // what cannot be written is said before minutes of measurement
  for (const path of [options.json, options.csv, options.markdown, options.html]) {
    if (path !== undefined) replaceableFile(path);
  }
  const rivals = await loadRivals(options);
  await checkSweeps(options.sweeps, rivals);
  const cases = options.cases.filter(({ kernel }) => options.kernels.includes(kernel.name));
  const opened = await openAll(options.devices ?? (await devicesAtHand(options)), rivals, options);
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
    const commit = commitOf(import.meta.dirname);
    const date = new Date().toISOString();
    failForRivals(rivals, rows);
    const about = { kedge: manifest.version, ...(commit === undefined ? {} : { commit }), date, machine };
    return { ...about, devices, rounds: options.rounds, rows };
  } finally {
    for (const { device } of opened) await device.dispose();
  }
}

/** A wrong kernel, and a rival that took part in nothing, are exit code 1. */
function failForRivals(rivals: readonly Rival[], rows: readonly KernelRow[]): void {
  const { wrong, idle } = faultsOf(rivals, rows);
  for (const { implementation, failure } of wrong) console.error(`bench: ${implementation} is wrong: ${failure!}`);
  for (const { kernel, implementation } of idle) {
    console.error(`bench: the rival ${implementation.name} fits none of the calls of ${kernel} on these devices`);
  }
  if (wrong.length + idle.length > 0) process.exitCode = 1;
}

async function write(results: KernelResults, { json, csv, markdown, html }: KernelBenchOptions): Promise<void> {
  const text = markdownOf(results);
  console.log(text);
  if (json !== undefined) writeWholeFile(json, `${JSON.stringify(results, null, 1)}\n`);
  if (csv !== undefined) writeWholeFile(csv, csvOf(results));
  if (markdown !== undefined) writeWholeFile(markdown, text);
  if (html !== undefined) writeWholeFile(html, await htmlOf(results));
}

/** Compares with what was kept; a regression is exit code 1. */
async function check(options: KernelBenchOptions): Promise<void> {
  const { from } = options;
  const results = from === undefined ? await measure(options) : readResults(from, readFileSync(from, "utf8"));
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

/** Sets one file of results against another; a row that is worse is exit code 1. */
function compare(paths: readonly string[]): void {
  if (paths.length !== 2) throw new UsageError(`compare takes two files, not ${paths.length}`);
  const [before, after] = paths.map((path) => readResults(path, readFileSync(path, "utf8")));
  const { text, isWorse } = compareFiles(before!, after!);
  console.log(text);
  if (isWorse) process.exitCode = 1;
}

/** Runs one of the verbs; a failure is a sentence on stderr and an exit code, 2 for a wrong command line. */
export async function benchKernels(verb: "kernels" | "check" | "compare", args: readonly string[]): Promise<void> {
  try {
    if (verb === "compare" && !args.includes("--help")) return compare(args);
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
