// WebGPU in Node: Dawn, from the optional package `webgpu`.
//
// On Linux, Dawn writes warnings to the terminal when it finds no Vulkan, no driver, or one with unusual limits, and nothing turns
// that off. Looking for an adapter must not do that. So the look does not load Dawn into this process: where the Vulkan
// loader is missing there is no adapter, and otherwise a child process asks, whose output is dropped.

import { UnsupportedError } from "../../../loaders/index.ts";

/** What an adapter says of itself. */
export interface AdapterAnswer {
  readonly info: Omit<GPUAdapterInfo, "__brand">;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** WGSL language features */
  readonly language: readonly string[];
}

/** How long a driver may take to answer. */
const PATIENCE_MILLISECONDS = 20_000;
const LOADER = "libvulkan.so.1";

/** Writes the answer as JSON to its descriptor 3: an AdapterAnswer, null for no adapter, or a sentence. */
const QUESTION = /* js */ `
const { writeSync } = require("node:fs");
const answer = (value) => { writeSync(3, JSON.stringify(value)); process.kill(process.pid, "SIGKILL"); };
const [, dawn, powerPreference] = process.argv;
import(dawn).then(async ({ create }) => {
  const gpu = (globalThis.gpu = create([]));
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (!adapter) return answer(null);
  const entries = (object) => { const all = {}; for (const name in object) all[name] = object[name]; return all; };
  const { info, features, limits } = adapter;
  answer({ info: entries(info), features: [...features], limits: entries(limits), language: [...gpu.wgslLanguageFeatures] });
}).catch((error) => answer(String(error)));`;

/** Loads Dawn into this process. Rejects where the package cannot be loaded. */
export async function createNodeGpu(): Promise<GPU> {
  if (process.platform === "linux" && vulkanHere() === "missing")
    throw noAdapter(`${LOADER}, the Vulkan loader, is missing`);
  const name = "webgpu"; // a variable and marks, so that bundlers leave the optional package alone
  let create: (options: string[]) => GPU;
  try {
    ({ create } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ name)) as {
      create: typeof create;
    });
  } catch (cause) {
    throw noPackage(cause);
  }
  process.env["XDG_RUNTIME_DIR"] ??= process.env["TMPDIR"] ?? "/tmp";
  return create([]);
}

/**
 * Asks for an adapter without loading Dawn and without a word on the terminal. Undefined where this process has to ask itself:
 * outside Linux, in other programs than Node, where it has Vulkan loaded already, or may not start children. The question is asked
 * once in a process.
 *
 * @throws UnsupportedError where there is no adapter.
 */
export async function askForAdapter(powerPreference: GPUPowerPreference): Promise<AdapterAnswer | undefined> {
  const { platform, versions } = process;
  const isPlainNode =
    versions["bun"] === undefined && versions["electron"] === undefined && versions["deno"] === undefined;
  if (platform !== "linux" || !isPlainNode) return undefined;
  const vulkan = vulkanHere();
  if (vulkan === "loaded") return undefined;
  if (vulkan === "missing") throw noAdapter(`${LOADER}, the Vulkan loader, is missing`);
  const known = answers.get(powerPreference) ?? askChild(powerPreference);
  answers.set(powerPreference, known);
  const answer = await known;
  if (answer === null) throw noAdapter("a graphics driver is missing");
  if (typeof answer === "string") throw noPackage(new Error(answer));
  return answer;
}

const answers = new Map<GPUPowerPreference, Promise<AdapterAnswer | string | null | undefined>>();

/** The error of a machine without an adapter. */
export function noAdapter(why: string): UnsupportedError {
  return new UnsupportedError(`WebGPU finds no GPU adapter here: ${why}; use device "wasm"`);
}

function noPackage(cause: unknown): UnsupportedError {
  return new UnsupportedError(
    `WebGPU in Node needs the package "webgpu", which cannot be loaded here: npm install webgpu, or use device "wasm"`,
    { cause },
  );
}

/** Whether the Vulkan loader is in this process, can be found, or is missing. */
function vulkanHere(): "loaded" | "found" | "missing" {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  try {
    if (readFileSync("/proc/self/maps", "utf8").includes("/libvulkan.so")) return "loaded";
  } catch {
    // without /proc nothing is known of what is loaded
  }
  try {
    process.dlopen({ exports: {} }, LOADER);
  } catch (error) {
    // a library that is found is refused too, because it is no addon of Node's
    if (String(error).includes("cannot open shared object file")) return "missing";
  }
  return "found";
}

function askChild(powerPreference: GPUPowerPreference): Promise<AdapterAnswer | string | null | undefined> {
  let dawn: string;
  try {
    const { createRequire } = process.getBuiltinModule("node:module");
    const { pathToFileURL } = process.getBuiltinModule("node:url");
    dawn = pathToFileURL(createRequire(import.meta.url).resolve("webgpu")).href;
  } catch (error) {
    return Promise.resolve(String(error));
  }
  return new Promise((resolve, reject) => {
    const env = { XDG_RUNTIME_DIR: process.env["TMPDIR"] ?? "/tmp", ...process.env, NODE_OPTIONS: "" };
    const { spawn } = process.getBuiltinModule("node:child_process");
    let child;
    try {
      const stdio = ["ignore", "ignore", "ignore", "pipe"] as const;
      child = spawn(process.execPath, ["-e", QUESTION, dawn, powerPreference], {
        env,
        stdio: [...stdio],
        timeout: PATIENCE_MILLISECONDS,
        killSignal: "SIGKILL",
      });
    } catch {
      resolve(undefined); // children are not allowed
      return;
    }
    let text = "";
    child.stdio[3]!.on("data", (chunk: Buffer) => (text += chunk.toString()));
    child.on("error", () => resolve(undefined));
    child.on("close", (_code, signal) => {
      if (text !== "") resolve(JSON.parse(text) as AdapterAnswer | string | null);
      else
        reject(noAdapter(`the graphics driver ended the process that asked for one (${signal ?? "without a signal"})`));
    });
  });
}
