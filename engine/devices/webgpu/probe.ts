// Which adapter there is, and what it is like: facts for `auto` and `doctor`, without opening a device.

import { checkOptions } from "../../options.ts";
import { UnsupportedError } from "../../../loaders/index.ts";
import type { DeviceIdentity } from "../measured-choices.ts";

/** Where to look for an adapter. */
export interface AdapterOptions {
  /** an adapter of the caller's */
  readonly adapter?: GPUAdapter | undefined;
  /** a GPU object of the caller's; `navigator.gpu` or the package `webgpu` by default */
  readonly gpu?: GPU | undefined;
  readonly powerPreference?: GPUPowerPreference | undefined;
}

/** What is known of an adapter. */
export interface AdapterFacts {
  /** one line for people */
  readonly description: string;
  readonly vendor: string;
  readonly architecture: string;
  /** the adapter's own name and number where it tells them, and what it says of itself, often with its driver's version */
  readonly device: string;
  readonly driver: string;
  /** it computes on the CPU: SwiftShader, llvmpipe, WARP */
  readonly isSoftware: boolean;
  /** the adapter's, and what WGSL has here beyond its first version, as far as shaders of this project use it */
  readonly features: readonly string[];
  /** fewest and most lanes of a subgroup; 0 without subgroups */
  readonly subgroupSizes: readonly [number, number];
  readonly limits: Readonly<Record<string, number>>;
}

/** What there is on this machine. */
export type Probe =
  | ({ readonly isAvailable: true } & AdapterFacts)
  | { readonly isAvailable: false; readonly isSoftware: false; readonly description: string; readonly reason: string };

/** Limits worth knowing, and worth asking for. */
export const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupStorageSize",
] as const;

/** The WGSL language feature with dot4I8Packed and pack4xI8: a name of WebGPU's, and what implementations `require`. */
export const PACKED_DOT = "packed_4x8_integer_dot_product";

/** The adapter that is asked for by default. */
const POWER: GPUPowerPreference = "high-performance";

/** Dawn ends the process when its GPU object is collected: this variable holds it for as long as we run. */
let nodeGpu: Promise<GPU> | undefined;

/** True in Node, where Dawn comes from a package and its promises have to be waited for (see wait.ts). */
export const isNode =
  typeof process === "object" && typeof process.versions === "object" && process.versions.node !== undefined;

function gpuOfPage(): GPU | undefined {
  return (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
}

async function findGpu(): Promise<GPU> {
  const found = gpuOfPage();
  if (found) return found;
  if (!isNode) {
    throw new UnsupportedError(`this browser has no WebGPU (navigator.gpu is missing): use device "wasm"`);
  }
  nodeGpu ??= import("./node-gpu.ts").then(({ createNodeGpu }) => createNodeGpu());
  try {
    return await nodeGpu;
  } catch (error) {
    nodeGpu = undefined;
    throw error;
  }
}

/** The adapter to use. Throws an UnsupportedError where there is none. */
export async function findAdapter(options: AdapterOptions = {}): Promise<GPUAdapter> {
  if (options.adapter) return options.adapter;
  const gpu = options.gpu ?? (await findGpu());
  const { powerPreference = POWER } = options;
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new UnsupportedError(`WebGPU finds no GPU adapter here: a graphics driver is missing; use device "wasm"`);
  }
  return adapter;
}

/** What shaders may use beyond the first WGSL; empty where nobody says so. */
export async function languageFeatures({ gpu }: AdapterOptions): Promise<Iterable<string>> {
  const found = gpu ?? gpuOfPage() ?? (await nodeGpu);
  return found?.wgslLanguageFeatures ?? [];
}

/** The facts about an adapter, or about the adapter of a device. */
export function factsOf(
  info: Omit<GPUAdapterInfo, "__brand">,
  features: ReadonlySet<string>,
  limits: object,
  language: Iterable<string> = [],
): AdapterFacts {
  const names = [info.vendor, info.architecture, info.device, info.description].filter((name) => name !== "");
  const isSoftware =
    info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|warp|basic render|software/i.test(names.join(" "));
  const name = info.description || names.join(" ") || "an adapter without a name";
  const hasSubgroups = features.has("subgroups");
  const subgroupSizes = [
    hasSubgroups ? (info.subgroupMinSize ?? 4) : 0,
    hasSubgroups ? (info.subgroupMaxSize ?? 128) : 0,
  ] as const;
  const known = limits as unknown as Readonly<Record<string, number>>;
  return {
    description: `${name}${isSoftware ? " (software)" : ""}`,
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    driver: info.description,
    isSoftware,
    features: [...features, ...[...language].filter((feature) => feature === PACKED_DOT)].sort(),
    subgroupSizes,
    limits: Object.fromEntries(LIMITS.map((limit) => [limit, known[limit]!])),
  };
}

/** What tells this adapter and driver from others, for times that were taken on it. */
export function identityOf({ vendor, architecture, device, driver, subgroupSizes }: AdapterFacts): DeviceIdentity {
  const [fewest, most] = subgroupSizes;
  const subgroups = `${fewest} to ${most}`;
  return { device: "webgpu", vendor, architecture, model: device, driver, subgroups };
}

/** What an adapter says of itself, without a word of Dawn's on the terminal. Throws an UnsupportedError where there is none. */
async function askAdapter(options: AdapterOptions): Promise<AdapterFacts> {
  if (isNode && !options.adapter && !options.gpu && !gpuOfPage() && !nodeGpu) {
    const { askForAdapter } = await import("./node-gpu.ts");
    const answer = await askForAdapter(options.powerPreference ?? POWER);
    if (answer) return factsOf(answer.info, new Set(answer.features), answer.limits, answer.language);
  }
  const { info, features, limits } = await findAdapter(options);
  return factsOf(info, features, limits, await languageFeatures(options));
}

/**
 * What `openWebGpu` would find, in words and numbers; never throws for want of an adapter. In Node on Linux another process is
 * asked, because Dawn writes warnings of its own to the terminal.
 */
export async function probeWebGpu(options: AdapterOptions = {}): Promise<Probe> {
  checkOptions("probeWebGpu", options, { adapter: true, gpu: true, powerPreference: true });
  return probeAdapter(options);
}

/** {@link probeWebGpu} for options of a whole device, of which it reads those of the adapter. */
export async function probeAdapter(options: AdapterOptions = {}): Promise<Probe> {
  try {
    return { isAvailable: true, ...(await askAdapter(options)) };
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    return { isAvailable: false, isSoftware: false, description: "no GPU adapter", reason: error.message };
  }
}
