// kedge verify: this machine against golden tensors made elsewhere (see golden.ts for what a file of them holds, tally.ts for
// the bounds), one row of a batch at a time, and as many inner tensors at a time as memory allows. With --against, one device
// against another on a prompt, without goldens (see against.ts).

import { Option, type Command } from "commander";
import type { CapturedTensor, Model } from "kedge";
import type { DeviceName } from "kedge/devices";
import type { QuantizedFormat } from "kedge/kernels";
import {
  fileSource,
  FormatError,
  httpSource,
  openSafetensors,
  type ByteSource,
  type ModelFolder,
  type SafetensorsFile,
} from "kedge/loaders";
import { addDevice, addJson, UsageError, type DeviceArguments } from "./arguments.ts";
import * as format from "./format.ts";
import { readFloats, readGoldens, readTokens, type GoldenRow, type Goldens, type GoldenTensor } from "./golden.ts";
import { loadOptions, withModel } from "./loading.ts";
import { findModel } from "./model-source.ts";
import { shareOf, Tally, type Verdict } from "./tally.ts";
import type { Bar, Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";
import { ORACLES, PROMPT, verifyAgainst } from "./verify-against.ts";

interface VerifyArguments extends DeviceArguments {
  readonly golden?: string;
  readonly against?: DeviceName;
  readonly prompt?: string;
  readonly json?: boolean;
}

/** Tokens that greedy decoding chose as the golden file says. */
interface GreedyCount {
  matched: number;
  of: number;
}

const GOLDEN = "golden.safetensors";
/** Inner tensors captured by one forward pass take at most this many bytes, unless a single one is larger. */
const CAPTURE_BYTES = 256 * 1024 * 1024;

/** `kedge verify MODEL` */
export const verify: Verb = {
  name: "verify",
  configure(command: Command) {
    command
      .summary("hold this machine against golden tensors")
      .description(
        "Compares logits, hidden states, attention, log-probabilities and greedy decoding with tensors made elsewhere; with --against, " +
          "walks through the forward pass on two devices and names the first tensor that differs, with its kernel.",
      )
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .option("--golden <file>", `the golden tensors (default: the model's own ${GOLDEN})`)
      .addOption(new Option("--against <device>", "compare with another device instead").choices(ORACLES))
      .option("--prompt <text>", `the text for --against (default: ${JSON.stringify(PROMPT)})`);
    addJson(addDevice(command));
  },
  async execute(terminal, [source], given: VerifyArguments) {
    const options = loadOptions(given);
    const found = await findModel(source!, terminal);
    if (given.against !== undefined) return verifyAgainst(terminal, found, options, given.against, given);
    if (given.prompt !== undefined) throw new UsageError("--prompt is the text for --against: name a device");
    const bytes = await openGolden(found.folder, given.golden);
    try {
      const file = await openSafetensors(bytes, terminal.signal);
      return await withModel(found, options, terminal, async ({ model, name }) => {
        const goldens = await readGoldens(file, model.config);
        const compared = await terminal.withBar((bar) => compare(model, file, goldens, bar, terminal.signal));
        const { device, quantized } = model;
        return tell(
          terminal,
          { model: name, device: device.name, quantized, ...compared, goldens },
          given.json === true,
        );
      });
    } finally {
      await bytes.close();
    }
  },
};

async function openGolden(folder: ModelFolder, golden: string | undefined): Promise<ByteSource> {
  if (golden !== undefined) return /^https?:\/\//i.test(golden) ? httpSource(golden) : fileSource(golden);
  if (await folder.has(GOLDEN)) return folder.open(GOLDEN);
  throw new FormatError(folder.name, `there is no ${GOLDEN} to compare with; name a file with --golden`);
}

async function compare(
  model: Model,
  file: SafetensorsFile,
  { rows, tensors }: Goldens,
  bar: Bar,
  signal: AbortSignal,
): Promise<{ verdicts: Verdict[]; greedy: GreedyCount }> {
  const tallies = new Map(tensors.map((tensor) => [tensor, new Tally(tensor.info.name, tensor.kind, tensor.layers)]));
  const greedy: GreedyCount = { matched: 0, of: 0 };
  for (const [i, row] of rows.entries()) {
    bar.update(i, rows.length, `prompt ${i + 1} of ${rows.length}`);
    await compareForward(model, file, row, tallies, signal);
    const scored = row.tensors.find(({ kind }) => kind === "token_logprobs");
    if (scored && row.tokens.length > 1) {
      const { logProbs } = await model.score(row.tokens, { signal });
      tallies.get(scored)!.add(0, logProbs, await readFloats(file, scored.info, row.row, row.rows, signal));
    }
    if (row.greedy) await compareGreedy(model, file, row, greedy, signal);
  }
  const share = shareOf(model.device.name, model.quantized);
  return { verdicts: [...tallies.values()].map((tally) => tally.verdict(share, model.config.layers)), greedy };
}

/** Hidden states and attention of one prompt; then its logits, from the fused pass that generating uses. */
async function compareForward(
  model: Model,
  file: SafetensorsFile,
  { tokens, row, rows, tensors }: GoldenRow,
  tallies: ReadonlyMap<GoldenTensor, Tally>,
  signal: AbortSignal,
): Promise<void> {
  const { layers } = model.config;
  const inner = tensors.filter(({ kind }) => kind === "hidden" || kind === "attention");
  const outer = tensors.filter(({ kind }) => kind === "logits");
  for (const taps of batches(inner, model, tokens.length)) {
    const pass = await model.forward(tokens, { capture: taps, logits: "none", signal });
    for (const tensor of inner) {
      const parts = tensor.layers.map((layer) => pass.captured[tapOf(tensor, layer, layers)]);
      if (parts.every((part) => part === undefined)) continue;
      const want = await readFloats(file, tensor.info, row, rows, signal);
      const width = want.length / parts.length;
      for (const [part, captured] of parts.entries()) {
        if (!captured) continue;
        const got = tensor.isLastToken ? lastToken(captured, tensor.kind === "attention") : captured.data;
        tallies.get(tensor)!.add(part, got, want.subarray(part * width, (part + 1) * width));
      }
    }
  }
  if (outer.length === 0) return;
  const wanted = outer.every(({ isLastToken }) => isLastToken) ? "last" : "all";
  const { logits } = await model.forward(tokens, { logits: wanted, signal });
  const { data } = logits!;
  for (const tensor of outer) {
    const got = tensor.isLastToken ? data.subarray(data.length - model.config.vocabSize) : data;
    tallies.get(tensor)!.add(0, got, await readFloats(file, tensor.info, row, rows, signal));
  }
}

/** The tap that a golden tensor is compared with. */
function tapOf({ kind }: GoldenTensor, layer: number, layers: number): string {
  if (kind === "attention") return `blocks.${layer}.attn.hook_pattern`;
  return layer === layers ? "ln_final.hook_out" : `blocks.${layer}.hook_resid_pre`;
}

/** Names of taps, in sets of which each fits into memory. */
function batches(tensors: readonly GoldenTensor[], { config }: Model, tokens: number): string[][] {
  const sizes = new Map<string, number>();
  for (const tensor of tensors) {
    const perToken = tensor.kind === "attention" ? config.heads * tokens : config.dim;
    for (const layer of tensor.layers) sizes.set(tapOf(tensor, layer, config.layers), perToken * tokens * 4);
  }
  const sets: string[][] = [[]];
  let room = CAPTURE_BYTES;
  for (const [tap, size] of sizes) {
    if (size > room && sets.at(-1)!.length > 0) {
      sets.push([]);
      room = CAPTURE_BYTES;
    }
    sets.at(-1)!.push(tap);
    room -= size;
  }
  return sets.filter((set) => set.length > 0);
}

/** Of [tokens, dim] the last row; of attention [heads, tokens, keys] each head's last. */
function lastToken({ shape, data }: CapturedTensor, isAttention: boolean): Float32Array {
  const width = shape.at(-1)!;
  if (!isAttention) return data.subarray(data.length - width);
  const [heads, tokens] = shape as readonly [number, number];
  const rows = new Float32Array(heads * width);
  for (let head = 0; head < heads; head++) {
    const end = (head + 1) * tokens * width;
    rows.set(data.subarray(end - width, end), head * width);
  }
  return rows;
}

async function compareGreedy(
  model: Model,
  file: SafetensorsFile,
  { tokens, row, rows, greedy }: GoldenRow,
  count: GreedyCount,
  signal: AbortSignal,
): Promise<void> {
  const whole = await readTokens(file, greedy!, row, rows, signal);
  const differs = tokens.findIndex((token, i) => token !== whole[i]);
  if (differs >= 0) {
    throw new FormatError(
      file.name,
      `tensor "${greedy!.name}" begins with other tokens than its input_ids: token ${differs} is ${whole[differs]}, not ${tokens[differs]}`,
      { tensor: greedy!.name },
    );
  }
  const want = whole.slice(tokens.length);
  const got: number[] = [];
  const options = { maxTokens: want.length, ignoreEndTokens: true, signal };
  for await (const piece of model.generate(tokens, options)) got.push(...piece.tokens);
  count.matched += want.filter((token, i) => token === got[i]).length;
  count.of += want.length;
}

/** The outcome that `tell` prints. */
interface Outcome {
  readonly model: string;
  readonly device: string;
  /** what the weights are kept as; null: as stored */
  readonly quantized: QuantizedFormat | null;
  readonly verdicts: readonly Verdict[];
  readonly greedy: GreedyCount;
  readonly goldens: Goldens;
}

/** Prints the outcome and returns the exit code. */
function tell(terminal: Terminal, outcome: Outcome, isJson: boolean): number {
  const { model, device, quantized, verdicts, greedy, goldens } = outcome;
  const first = firstMissed(verdicts);
  const isGreedyRight = quantized !== null || greedy.matched === greedy.of;
  const bounds = quantized ? `${quantized} weights` : "weights as stored";
  const ok = first === undefined && isGreedyRight;
  if (isJson) {
    terminal.printJson({
      model,
      device,
      bounds,
      ok,
      tensors: verdicts.map(({ name, largest, bound, ok: isMet }) => ({ name, largest, bound, ok: isMet })),
      greedy: greedy.of === 0 ? null : greedy,
      firstMissed: first?.name ?? (isGreedyRight ? null : "greedy"),
      notCompared: goldens.notCompared,
    });
  } else {
    const mark = (isRight: boolean) => (isRight ? terminal.style("ok", "green") : terminal.style("MISSED", "red"));
    const rows = [...verdicts].sort(byName).map(({ name, largest, bound, ok: isMet }) => {
      return [name, format.small(largest), format.small(bound), mark(isMet)];
    });
    if (greedy.of > 0)
      rows.push(["greedy", `${greedy.matched} of ${greedy.of}`, quantized ? "any" : "all", mark(isGreedyRight)]);
    terminal.note(`bounds are those of ${bounds} on ${device}`);
    terminal.print(...format.table([["tensor", "largest difference", "bound", ""], ...rows], [1, 2]));
    if (goldens.notCompared.length > 0) terminal.note(`not compared: ${goldens.notCompared.join(", ")}`);
  }
  if (ok) {
    terminal.note(`${model} is as it should be on ${device}: ${format.plural(goldens.rows.length, "prompt")} compared`);
    return 0;
  }
  terminal.fail(
    first ? sentenceOn(first, device) : `greedy decoding on ${device} matched ${greedy.matched} of ${greedy.of} tokens`,
  );
  return 1;
}

function firstMissed(verdicts: readonly Verdict[]): Verdict | undefined {
  const missed = verdicts.filter(({ ok }) => !ok);
  return missed.sort((a, b) => a.firstMissed!.order - b.firstMissed!.order)[0];
}

function sentenceOn({ name, largest, bound, firstMissed: missed }: Verdict, device: string): string {
  const layer =
    name.endsWith("hidden.last") || name.endsWith("attention.last") ? ` (first in layer ${missed!.layer})` : "";
  const difference = Number.isNaN(largest) ? "has NaN" : `is off by up to ${format.small(largest)}`;
  return `"${name}"${layer} ${difference} on ${device}, where ${format.small(bound)} is allowed; in the order of the forward pass nothing misses before it`;
}

function byName(a: Verdict, b: Verdict): number {
  return a.name.localeCompare(b.name, "en", { numeric: true });
}
