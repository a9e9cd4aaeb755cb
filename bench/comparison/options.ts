// The command line of `npm run bench:peers`.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { WORKS, type Work } from "./works.ts";

export const USAGE = `usage: npm run bench:peers -- --gguf FILE --folder DIR [options]
  --gguf FILE        the model as GGUF, for the llama.cpp family
  --folder DIR       the same as a Hugging Face folder; made where it is missing, if there is a converter
  --converter FILE   a script that makes the folder: node FILE GGUF DIR
  --work a,b         only these works: ${WORKS.map(({ name }) => name).join(", ")}
  --only a,b         only entrants whose names contain one of these, and what goals compare them with
  --rounds N         rounds of each work (5)
  --threads N        threads of each contender (2)
  --icd FILE         the Vulkan driver of the works on WebGPU (lavapipe's, where it is installed)
  --made DIR         where converted models are kept (.cache/peers)
  --dry              do not write bench/results/peers.json and docs/performance.md`;

/** A wrong command line. */
export class UsageError extends Error {}

/** What is to be done. */
export interface Options {
  readonly gguf: string;
  readonly folder: string;
  readonly converter: string | undefined;
  readonly made: string;
  readonly works: readonly Work[];
  /** parts of names; empty for all */
  readonly only: readonly string[];
  readonly rounds: number;
  readonly threads: number;
  readonly icd: string | undefined;
  readonly isDry: boolean;
}

const DRIVER_FOLDERS = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

function lavapipe(): string | undefined {
  return DRIVER_FOLDERS.filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
    .find((path) => /\/lvp_icd[^/]*\.json$/.test(path));
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new UsageError(`--${name} is "${text}": it must be a whole number of at least 1`);
}

const listed = (text: string | undefined): string[] => text?.split(",").filter((part) => part !== "") ?? [];

/** Reads the command line; null where help is asked for. Throws a UsageError. */
export function readOptions(args: readonly string[]): Options | null {
  const string = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ gguf: string, folder: string, converter: string, work: string, only: string, icd: string },
      rounds: { type: "string", default: "5" },
      threads: { type: "string", default: "2" },
      made: { type: "string", default: join(".cache", "peers") },
      dry: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const { gguf, folder } = values;
  if (gguf === undefined || folder === undefined) throw new UsageError("a comparison needs --gguf and --folder");
  if (!existsSync(gguf)) throw new UsageError(`there is no file ${gguf}`);
  const names = listed(values.work);
  const unknown = names.find((name) => !WORKS.some((work) => work.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no work "${unknown}"`);
  return {
    ...{ gguf, folder, converter: values.converter, made: values.made },
    works: WORKS.filter(({ name }) => names.length === 0 || names.includes(name)),
    only: listed(values.only),
    rounds: wholeNumber("rounds", values.rounds),
    threads: wholeNumber("threads", values.threads),
    icd: values.icd ?? lavapipe(),
    isDry: values.dry || listed(values.only).length > 0,
  };
}
