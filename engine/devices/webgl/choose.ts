// Which implementation a call uses: the first of its kernel's that fits and was not found wrong here.

import {
  makeTrial,
  seededRandom,
  type Implementation,
  type Kernel,
  type MatrixFormat,
  type Setting,
  type Trial,
  type WebGlImplementation,
} from "../../../kernels/index.ts";
import type { Call } from "../program.ts";
import { bufferFormat } from "../tensor.ts";

/** What implementations are told of this device: there are no features to ask for, and no workgroups. */
const traits = { features: new Set<string>(), subgroupSize: 0, maxWorkgroupSize: 0, maxWorkgroupBytes: 0 } as const;

/** The setting of a call; parameters that steps supply are NaN. */
export function settingOf({ kernel, buffers, params }: Call): Setting {
  const formats: Record<string, MatrixFormat> = {};
  const present = new Set<string>();
  for (const [name, buffer] of Object.entries(buffers)) {
    if (buffer === undefined) continue;
    present.add(name);
    const format = bufferFormat(buffer);
    if (format !== undefined) formats[name] = format;
  }
  const known = Object.keys(kernel.params).map((name) => {
    const value = params[name];
    if (value === undefined) throw new RangeError(`${kernel.name} needs a value for ${name}`);
    return [name, typeof value === "number" ? value : Number.NaN] as const;
  });
  return { ...traits, params: Object.fromEntries(known), present, formats };
}

/** True if an implementation can serve a call. */
function isFit(call: Call, setting: Setting, one: WebGlImplementation): boolean {
  const kept = Object.keys(call.kernel.buffers).find((name) => setting.formats[name] !== undefined);
  const format = kept === undefined ? undefined : setting.formats[kept];
  return (
    one.requires.length === 0 &&
    (one.formats === undefined || (format !== undefined && one.formats.includes(format))) &&
    (one.fits?.(setting) ?? true)
  );
}

/** The first of `ones` that fits; undefined where there is none. */
export function chooseFor(
  call: Call,
  ones: readonly WebGlImplementation[],
  isUsable: (implementation: WebGlImplementation) => boolean,
): WebGlImplementation | undefined {
  const setting = settingOf(call);
  return ones.find((one) => isUsable(one) && isFit(call, setting, one));
}

/** Why none of its implementations `ones` serves a call, in words. */
export function refusalOf(call: Call, ones: readonly WebGlImplementation[]): string {
  const { kernel, label } = call;
  if (ones.length === 0) return `kernel ${kernel.name} (${label}) is not written for it`;
  const { formats, params } = settingOf(call);
  const odd = Object.entries(formats).find(([, one]) => !ones.some((other) => other.formats?.includes(one) ?? true));
  if (odd !== undefined) {
    const what = kernel.buffers[odd[0]]!.startsWith("cache") ? "a cache in" : "weights in";
    return `it does not read ${what} ${odd[1]} (${kernel.name}, ${label})`;
  }
  const sizes = ["dim", "inputs", "outputs", "headDim"].flatMap((name) =>
    params[name] !== undefined && params[name] % 4 !== 0 ? [`${name} ${params[name]}`] : [],
  );
  return `kernel ${kernel.name} (${label}) needs sizes that are multiples of 4; here ${sizes.join(" and ") || "one"} is not`;
}

/** Trials for an implementation: those of its kernel's samples that it fits. */
export function trialsFor(kernel: Kernel, implementation: WebGlImplementation): Trial[] {
  const format = implementation.formats?.[0] ?? "f32";
  return kernel.samples.flatMap((sample, index) => {
    const present = new Set(Object.keys(kernel.buffers).filter((name) => !sample.absent?.includes(name)));
    const kept = Object.entries(kernel.buffers).filter(([, use]) => /^(matrix|cache)/.test(use));
    const formats = Object.fromEntries(kept.map(([name]) => [name, format]));
    const isRight = implementation.fits?.({ ...traits, params: sample.params, present, formats }) ?? true;
    return isRight ? [makeTrial(kernel, sample, seededRandom(index + 1), { format })] : [];
  });
}

/** True for implementations that are passes of WebGL. */
export function isOfDevice(implementation: Implementation): implementation is WebGlImplementation {
  return "webgl" in implementation;
}
