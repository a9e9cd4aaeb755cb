// The command line of the kernel bench.

import { parseArgs } from "node:util";
import { kernels, type MatrixFormat } from "kedge/kernels";
import { FORMATS } from "./measure.ts";
import { casesOf, casesOfShape, SHAPE_LISTS, SIZES, type KernelCase } from "./shapes.ts";
import { combinationsOf, readSweep, type Sweep } from "./sweep.ts";

/** The text of --help. */
export const USAGE = `usage: npm run bench kernels [GLOB] [-- options]
       npm run bench check [-- options, --save, --from FILE]
       npm run bench compare A.json B.json
  GLOB              implementations by name, such as "linear.*" or "*subgroups*"
  --kernel NAMES    kernels, separated by commas; all by default
  --variant GLOBS   implementations; as GLOB
  --format NAMES    ${FORMATS.join(",")}; all by default
  --device NAMES    wasm, wasm:THREADS, webgpu, reference; wasm, and webgpu where there is a GPU
  --adapter KIND    software: webgpu runs on a software adapter, for a machine without a GPU
  --shapes NAMES    ${SHAPE_LISTS.join(",")}; smollm2-decode,square by default
  --shape SHAPE     a shape of yours: a product ROWSxINPUTSxOUTPUTS, or NAME=VALUE,… of a model's
                    ${Object.keys(SIZES).join(", ")}; may be given several times
  --set NAME=A,B,…  values to try: of one of these sizes, of an override of WGSL implementations (WORKGROUP=32,64,128),
                    or of a parameter of a rival; may be given several times
  --cache KIND      hot: weights may stay in a cache; cold: they come from memory; auto: cold for up to 4 rows
  --rounds N        samples of each implementation, 7 by default
  --milliseconds N  length of a sample, 20 by default
  --rival FILE      a module with an implementation of yours, to be timed beside ours; may be given several times
  --json FILE       writes all that was found
  --csv FILE        writes the rows as comma-separated values
  --markdown FILE   writes the table; printed in any case
  --html FILE       writes a page with plots
A wrong result of a kernel ends with exit code 1.
compare sets B against A, files that --json wrote; exit code 1 if a row of B is worse.
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
  /** the calls of all shapes asked for */
  readonly cases: readonly KernelCase[];
  readonly sweeps: readonly Sweep[];
  /** webgpu runs on a software adapter */
  readonly isSoftware: boolean;
  readonly cache: "auto" | "hot" | "cold";
  readonly rounds: number;
  readonly secondsPerRun: number;
  readonly rivals: readonly string[];
  readonly json: string | undefined;
  readonly csv: string | undefined;
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

const isSize = ({ name }: Sweep) => name in SIZES;

/** The calls to time, and the sweeps that are no sizes of theirs. */
function shapesOf(lists: string | undefined, shapes: readonly string[], sets: readonly string[]) {
  try {
    const all = sets.map(readSweep);
    const sizes = combinationsOf(all.filter(isSize));
    const isSwept = all.some(isSize);
    const own = isSwept && shapes.length === 0 ? [""] : shapes;
    const named = lists ?? (own.length > 0 ? undefined : "smollm2-decode,square");
    const cases = [
      ...(listOf("shapes", named, SHAPE_LISTS) ?? []).flatMap(casesOf),
      ...own.flatMap((shape) => sizes.flatMap((values) => casesOfShape(shape, values))),
    ];
    const once = [...new Map(cases.map((one) => [`${one.kernel.name} ${one.label} ${one.size}`, one])).values()];
    return { cases: once, sweeps: all.filter((one) => !isSize(one)) };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message);
  }
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
        csv: text,
        adapter: text,
        shapes: text,
        markdown: text,
        html: text,
        from: text,
      },
      shape: { type: "string", multiple: true, default: [] },
      set: { type: "string", multiple: true, default: [] },
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
    ...shapesOf(values.shapes, values.shape, values.set),
    isSoftware: listOf("adapter", values.adapter, ["software"]) !== undefined,
    cache: listOf("cache", values.cache, ["auto", "hot", "cold"])![0] as "auto" | "hot" | "cold",
    rounds: positive("rounds", values.rounds),
    secondsPerRun: positive("milliseconds", values.milliseconds) / 1000,
    rivals: values.rival,
    json: values.json,
    csv: values.csv,
    markdown: values.markdown,
    html: values.html,
    isSaved: values.save,
    from: values.from,
  };
}
