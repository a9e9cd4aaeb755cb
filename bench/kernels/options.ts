// The command line of the kernel bench.

import { parseArgs } from "node:util";
import { kernels, type MatrixFormat } from "kedge/kernels";
import { FORMATS } from "./measure.ts";
import { SHAPE_LISTS } from "./shapes.ts";

/** The text of --help. */
export const USAGE = `usage: npm run bench kernels [GLOB] [-- options]
       npm run bench check [-- options, --save, --from FILE]
  GLOB              implementations by name, such as "linear.*" or "*subgroups*"
  --kernel NAMES    kernels, separated by commas; all by default
  --variant GLOBS   implementations; as GLOB
  --format NAMES    ${FORMATS.join(",")}; all by default
  --device NAMES    wasm, wasm:THREADS, webgpu, reference; wasm, and webgpu where there is a GPU
  --shapes NAMES    ${SHAPE_LISTS.join(",")}; smollm2-decode,square by default
  --cache KIND      hot: weights may stay in a cache; cold: they come from memory; auto: cold for up to 4 rows
  --rounds N        samples of each implementation, 7 by default
  --milliseconds N  length of a sample, 20 by default
  --rival FILE      a module with an implementation of yours, to be timed beside ours; may be given several times
  --json FILE       writes all that was found
  --markdown FILE   writes the table; printed in any case
  --html FILE       writes a page with plots
check compares with the newest file of this kind of machine in bench/results:
  --save            keeps what was found there, to be compared with later
  --from FILE       compares a file that --json wrote, and measures nothing`;

/** A wrong command line. */
export class UsageError extends Error {}

/** A device by name, and with how many threads. */
export interface DeviceRequest {
  readonly id: string;
  readonly name: "wasm" | "webgpu" | "reference";
  readonly threads?: number;
}

/** What the command line asks for. */
export interface KernelBenchOptions {
  readonly kernels: readonly string[];
  /** keeps implementations by their name; `reference` is the reference's */
  readonly isWanted: (implementation: string) => boolean;
  readonly formats: readonly MatrixFormat[];
  /** undefined: those at hand */
  readonly devices: readonly DeviceRequest[] | undefined;
  readonly shapes: readonly string[];
  readonly cache: "auto" | "hot" | "cold";
  readonly rounds: number;
  readonly secondsPerRun: number;
  readonly rivals: readonly string[];
  readonly json: string | undefined;
  readonly markdown: string | undefined;
  readonly html: string | undefined;
  readonly isSaved: boolean;
  readonly from: string | undefined;
}

/** A pattern of names in which * stands for anything. */
export function globMatcher(glob: string): (name: string) => boolean {
  const escaped = glob.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`^${escaped.join(".*")}$`);
  return (name) => pattern.test(name);
}

function listOf(flag: string, text: string | undefined, known: readonly string[]): readonly string[] | undefined {
  const names = text?.split(",").map((name) => name.trim());
  const unknown = names?.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new UsageError(`--${flag} is "${text}": there is no "${unknown}", use ${known.join(", ")}`);
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value > 0) return value;
  throw new UsageError(`--${flag} is "${text}": it must be a whole number of at least 1`);
}

function deviceOf(id: string): DeviceRequest {
  const [, name, threads] = /^(wasm|webgpu|reference)(?::(\d+))?$/.exec(id) ?? [];
  if (name === "wasm" && threads !== undefined) return { id, name, threads: positive("device", threads) };
  if ((name === "wasm" || name === "webgpu" || name === "reference") && threads === undefined) return { id, name };
  throw new UsageError(`there is no device "${id}": use wasm, wasm:THREADS, webgpu or reference`);
}

/** Reads the arguments; null where help is asked for. Throws a UsageError, or the TypeError of an unknown option. */
export function readOptions(args: readonly string[]): KernelBenchOptions | null {
  const text = { type: "string" } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...{
        kernel: text,
        variant: text,
        format: text,
        device: text,
        json: text,
        markdown: text,
        html: text,
        from: text,
      },
      shapes: { type: "string", default: "smollm2-decode,square" },
      cache: { type: "string", default: "auto" },
      rounds: { type: "string", default: "7" },
      milliseconds: { type: "string", default: "20" },
      rival: { type: "string", multiple: true, default: [] },
      save: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  if (positionals.length > 1) throw new UsageError(`one GLOB at most, not ${positionals.length}: quote it`);
  const globs = [...positionals, ...(values.variant?.split(",") ?? [])].map(globMatcher);
  const names = kernels.map(({ name }) => name);
  return {
    kernels: listOf("kernel", values.kernel, names) ?? names,
    isWanted: (name) => globs.length === 0 || globs.some((matches) => matches(name)),
    formats: (listOf("format", values.format, FORMATS) as readonly MatrixFormat[] | undefined) ?? FORMATS,
    devices: values.device?.split(",").map(deviceOf),
    shapes: listOf("shapes", values.shapes, SHAPE_LISTS)!,
    cache: listOf("cache", values.cache, ["auto", "hot", "cold"])![0] as "auto" | "hot" | "cold",
    rounds: positive("rounds", values.rounds),
    secondsPerRun: positive("milliseconds", values.milliseconds) / 1000,
    rivals: values.rival,
    json: values.json,
    markdown: values.markdown,
    html: values.html,
    isSaved: values.save,
    from: values.from,
  };
}
