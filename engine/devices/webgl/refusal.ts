// Why `webgl` cannot run a call.

import type { WebGlImplementation } from "../../../kernels/index.ts";
import { PLAIN_TRAITS, settingOf } from "../choose.ts";
import type { Call } from "../program.ts";

/** Says in words why none of the implementations `ones` can run a call. */
export function refusalOf(call: Call, ones: readonly WebGlImplementation[]): string {
  const { kernel, label } = call;
  if (ones.length === 0) return `kernel ${kernel.name} (${label}) is not written for it`;
  const { formats, params } = settingOf(call, PLAIN_TRAITS);
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
