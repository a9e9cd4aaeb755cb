// Compares one device with another, without goldens: the same tokens through both, tensor by tensor in the order of the forward pass, until
// one differs.
//
// Two walks. The first captures the residual stream between layers only, so that everything within a layer runs as it does when
// text is generated: fused. The second looks into the first layer that differs, one tensor a pass, for the same reason: of the
// device's program nothing but that tensor is parted. What it finds is the call that a wrong number comes from.

import { tapNames, type CapturedTensor, type ForwardResult, type Model } from "kedge";
import type { KernelCall } from "kedge/devices";

/** A tensor on both devices. */
export interface ComparedTensor {
  /** a tap, or "logits" */
  readonly name: string;
  /** largest difference; NaN where one of the two has NaN */
  readonly largest: number;
  /** what is allowed: a share of the largest magnitude on the other device */
  readonly bound: number;
  readonly ok: boolean;
}

/** The result of the walks. */
export interface AgainstResult {
  /** in the order of the forward pass; of the layer that was looked into, its tensors up to the first that differs */
  readonly tensors: readonly ComparedTensor[];
  /** the first that differs, and the calls that no tensor which agrees speaks for; undefined where none differs */
  readonly first: (ComparedTensor & { readonly suspects: readonly KernelCall[] }) | undefined;
}

/** The callbacks of the walks. */
type OnProgress = (done: number, of: number, detail: string) => void;

/**
 * Compares a model on its device with the same model on another one, the oracle, on tokens.
 *
 * @param share of a tensor's largest magnitude by which the device may be off
 */
export async function compareDevices(
  model: Model,
  oracle: Model,
  tokens: readonly number[],
  {
    share,
    onProgress,
    signal,
  }: { readonly share: number; readonly onProgress?: OnProgress; readonly signal?: AbortSignal },
): Promise<AgainstResult> {
  const { layers } = model.config;
  const names = tapNames(model.config);
  const stream = names.filter((name) => /^(hook_embed|hook_pos_embed|blocks\.\d+\.hook_resid_post)$/.test(name));
  const run = (on: Model, capture: readonly string[], logits: "all" | "none") =>
    on.forward(tokens, { capture, logits, signal });

  onProgress?.(0, layers, `the residual stream on ${oracle.device.name}`);
  const want = await run(oracle, stream, "all");
  onProgress?.(0, layers, `the residual stream on ${model.device.name}`);
  const got = await run(model, stream, "all");
  const tensors: ComparedTensor[] = [];
  for (const name of stream) {
    const compared = compare(name, got.captured[name]!, want.captured[name]!, share);
    if (compared.ok) {
      tensors.push(compared);
      continue;
    }
    const layer = /^blocks\.(\d+)\./.exec(name)?.[1];
    if (layer === undefined) return found([...tensors, compared], compared, got, new Set());
    onProgress?.(Number(layer), layers, `layer ${layer}`);
    const cleared = new Set<string>();
    const inside = names.filter((one) => one.startsWith(`blocks.${layer}.`));
    const { captured } = await run(oracle, inside, "none");
    for (const [i, tap] of inside.entries()) {
      onProgress?.(i, inside.length, tap);
      const alone = await run(model, [tap], "none");
      const own = compare(tap, alone.captured[tap]!, captured[tap]!, share);
      tensors.push(own);
      if (!own.ok) return found(tensors, own, alone, cleared);
      for (const call of alone.calls[tap]!) cleared.add(keyOf(call));
    }
    // Parting the program at any one tensor makes the difference go away.
    const suspects = got.calls[name]!.filter(
      (call) => call.label.startsWith(`blocks.${layer}.`) && !cleared.has(keyOf(call)),
    );
    return { tensors: [...tensors, compared], first: { ...compared, suspects } };
  }
  const logits = compare("logits", got.logits!, want.logits!, share);
  if (!logits.ok) {
    for (const tap of names.filter((name) => name.startsWith("ln_final."))) {
      const [alone, { captured }] = [await run(model, [tap], "none"), await run(oracle, [tap], "none")];
      const own = compare(tap, alone.captured[tap]!, captured[tap]!, share);
      tensors.push(own);
      if (!own.ok) return found(tensors, own, alone, new Set());
    }
  }
  return { tensors: [...tensors, logits], first: logits.ok ? undefined : { ...logits, suspects: [] } };
}

/** The outcome where a tensor differs whose block's calls are those of `result`, some of them cleared. */
function found(
  tensors: readonly ComparedTensor[],
  first: ComparedTensor,
  { calls }: ForwardResult,
  cleared: ReadonlySet<string>,
): AgainstResult {
  const own = calls[first.name]!;
  const block = /^blocks\.\d+\./.exec(first.name)?.[0] ?? "";
  const suspects = own.filter((call) => call.label.startsWith(block) && !cleared.has(keyOf(call)));
  return { tensors, first: { ...first, suspects: block === "" ? own.slice(-1) : suspects } };
}

/** A call of the same kernel at the same place is the same call. */
function keyOf({ kernel, label }: KernelCall): string {
  return `${kernel} ${label}`;
}

/** Infinities of scores that are hidden agree with themselves; NaN agrees with nothing. */
function compare(name: string, got: CapturedTensor, want: CapturedTensor, share: number): ComparedTensor {
  let largest = 0;
  let magnitude = 0;
  for (const [i, wanted] of want.data.entries()) {
    const value = got.data[i]!;
    const difference = value === wanted ? 0 : Math.abs(value - wanted);
    if (difference > largest || Number.isNaN(difference)) largest = difference;
    if (Number.isNaN(largest)) break;
    if (Number.isFinite(wanted)) magnitude = Math.max(magnitude, Math.abs(wanted));
  }
  const bound = share * magnitude;
  return { name, largest, bound, ok: largest <= bound };
}
