// kedge verify --against: compares one device with another (see against.ts) and prints the outcome.

import type { LoadOptions } from "kedge";
import type { DeviceName } from "kedge/devices";
import { compareDevices, type AgainstResult } from "./against.ts";
import { UsageError } from "./arguments.ts";
import * as format from "./format.ts";
import { withModel } from "./loading.ts";
import type { FoundModel } from "./model-source.ts";
import { shareOf } from "./tally.ts";
import type { Terminal } from "./terminal.ts";

/** The devices that another one can be compared with. */
export const ORACLES: readonly DeviceName[] = ["reference", "wasm", "webgpu"];
/** The text that two devices are compared on by default. */
export const PROMPT = "function add(a, b) {\n  return a + b;\n}\n";
/** Some devices round rows to 16 bits before they multiply them with quantized weights: how much further off they may be. */
const QUANTIZED_ROUNDING = 20;

interface AgainstArguments {
  readonly golden?: string;
  readonly prompt?: string;
  readonly json?: boolean;
}

/**
 * Compares a model on its device with the same model on another one, prints what it finds, and returns the exit code: 1 where a
 * tensor differs. Throws a UsageError for arguments that do not go together.
 */
export async function verifyAgainst(
  terminal: Terminal,
  found: FoundModel,
  options: LoadOptions,
  against: DeviceName,
  { golden, prompt = PROMPT, json }: AgainstArguments,
): Promise<number> {
  if (golden !== undefined) throw new UsageError("--golden and --against were both given: choose 1 of the 2");
  const { threads: _threads, ...shared } = options; // threads are for the first device
  if (prompt === "") throw new UsageError("--prompt is empty: it wants at least 1 character");
  return withModel(found, options, terminal, async ({ model, name }) => {
    if (model.device.name === against) {
      throw new UsageError(`the model runs on ${against} already: choose another --device, or another --against`);
    }
    return withModel(found, { ...shared, device: against }, terminal, async ({ model: oracle }) => {
      const tokens = model.tokenizer
        ? model.tokenize(prompt)
        : Array.from({ length: Math.min(16, model.contextLength) }, (_, i) => i % model.config.vocabSize);
      const result = await terminal.withBar((bar) =>
        compareDevices(model, oracle, tokens, {
          share: shareOf(model.device.name, null) * (model.quantized ? QUANTIZED_ROUNDING : 1),
          onProgress: (done, of, detail) => bar.update(done, of, detail),
          signal: terminal.signal,
        }),
      );
      return tellAgainst(
        terminal,
        { model: name, device: model.device.name, against, tokens: tokens.length },
        result,
        json === true,
      );
    });
  });
}

/** Prints what two devices differ in, and returns the exit code. */
function tellAgainst(
  terminal: Terminal,
  run: { readonly model: string; readonly device: string; readonly against: string; readonly tokens: number },
  { tensors, first }: AgainstResult,
  isJson: boolean,
): number {
  const { model, device, against, tokens } = run;
  if (isJson) terminal.printJson({ ...run, ok: first === undefined, tensors, first: first ?? null });
  else {
    const mark = (isRight: boolean) => (isRight ? terminal.style("ok", "green") : terminal.style("DIFFERS", "red"));
    const rows = tensors.map(({ name, largest, bound, ok }) => [
      name,
      format.small(largest),
      format.small(bound),
      mark(ok),
    ]);
    terminal.print(...format.table([["tensor", "largest difference", "bound", ""], ...rows], [1, 2]));
  }
  if (!first) {
    terminal.note(
      `${model} computes on ${device} what it computes on ${against}: ${format.plural(tokens, "token")} compared`,
    );
    return 0;
  }
  const { name, largest, bound, suspects } = first;
  const difference = Number.isNaN(largest) ? "has NaN" : `is off by up to ${format.small(largest)}`;
  const called = suspects.map(
    ({ kernel, label, implementations }) => `${kernel} (${implementations.join(", ")}, ${label})`,
  );
  const by = called.length === 0 ? "what comes before it agrees" : `it comes from ${called.join(" or ")}`;
  terminal.fail(
    `"${name}" is the first tensor that differs: it ${difference} on ${device}, where ${format.small(bound)} is allowed from ${against}; ${by}`,
  );
  return 1;
}
