// Taps: the named inner tensors of the forward pass (TransformerLens' names), and which of them a caller asked for.

import type { Tensor } from "../devices/device.ts";

/** Where, in a recorded program, a named tensor can be read and replaced. */
export interface Tap {
  readonly name: string;
  /** calls replayed before the tensor holds its value */
  readonly after: number;
  readonly tensor: Tensor;
  /** the tap is numbers offset .. offset + width of each line of `stride` numbers */
  readonly offset: number;
  readonly width: number;
  readonly stride: number;
  /** sizes of one row: [dim], [heads, headDim]; a pattern's last size is its number of columns */
  readonly shape: readonly number[];
  readonly isPattern: boolean;
  /** a pattern over two key sources: columns of the second follow those of the first */
  readonly isDouble: boolean;
}

/** Per layer, in the order in which they come up. */
export const LAYER_TAPS = [
  "hook_resid_pre",
  "ln1.hook_normalized",
  "attn.hook_q",
  "attn.hook_k",
  "attn.hook_v",
  "attn.hook_attn_scores",
  "attn.hook_pattern",
  "attn.hook_z",
  "hook_attn_out",
  "hook_resid_mid",
  "ln2.hook_normalized",
  "mlp.hook_pre",
  "mlp.hook_pre_linear",
  "mlp.hook_post",
  "hook_mlp_out",
  "hook_resid_post",
] as const;

/** All tap names of a model with so many layers; some exist only in some families. */
export function tapNames(layers: number): string[] {
  const inner = Array.from({ length: layers }, (_, i) => LAYER_TAPS.map((name) => `blocks.${i}.${name}`));
  return ["hook_embed", "hook_pos_embed", ...inner.flat(), "ln_final.hook_normalized"];
}

/** A test for names; `*` in a pattern stands for any one part between dots. Throws a RangeError for a pattern that fits none. */
export function tapMatcher(patterns: readonly string[], names: readonly string[]): (name: string) => boolean {
  const wanted = new Set<string>();
  for (const pattern of patterns) {
    const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("*", "[^.]+");
    const expression = new RegExp(`^${escaped}$`);
    const found = names.filter((name) => expression.test(name));
    if (found.length === 0) {
      const last = names.at(-1);
      throw new RangeError(`no tap is called "${pattern}": there are ${names.length}, from ${names[0]} to ${last}`);
    }
    for (const name of found) wanted.add(name);
  }
  return (name) => wanted.has(name);
}

/** Which taps an open recording is for. */
export interface Look {
  /** wanted or hooked: only scores and patterns cost extra calls, so only they are asked about */
  readonly wants: (name: string) => boolean;
  /** replaced by a hook: attention then goes through the replaced pattern */
  readonly edits: (name: string) => boolean;
}

/** Equal for taps that the same recording serves: recordings differ only in the scores and patterns that they make or replace. */
export function recordingKey({ wants, edits }: Look, { layers }: { readonly layers: number }): string {
  const costly = tapNames(layers).filter((name) => /hook_(attn_scores|pattern)$/.test(name));
  return costly.map((name) => (edits(name) ? "e" : wants(name) ? "w" : "-")).join("");
}
