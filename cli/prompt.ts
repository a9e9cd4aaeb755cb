// Reads the prompt of `run`: from the argument, a file, stdin, or the example of a shipped model.

import { readFile } from "node:fs/promises";
import { FormatError } from "kedge/loaders";
import { UsageError } from "./arguments.ts";
import type { Shipped } from "./shipped.ts";
import type { Terminal } from "./terminal.ts";

/** A prompt, and whether it is the example that nobody asked for. */
export interface GivenPrompt {
  readonly text: string;
  readonly isExample: boolean;
}

/** How long stdin may be silent before a model that has an example gets that instead. */
const PATIENCE_MILLISECONDS = 1000;

/** The prompt as it was given, not a character added or removed. Throws a UsageError for none, an empty one, or two. */
export async function givenPrompt(
  argument: string | undefined,
  file: string | undefined,
  shipped: Shipped | undefined,
  terminal: Terminal,
): Promise<GivenPrompt> {
  if (argument !== undefined && file !== undefined) {
    throw new UsageError(`there are two prompts, PROMPT and --prompt-file ${file}: give one`);
  }
  if (argument !== undefined) return { text: notEmpty(argument, "PROMPT"), isExample: false };
  if (file !== undefined && file !== "-") return { text: notEmpty(await readPrompt(file), file), isExample: false };
  if (file === undefined && terminal.stdin.isTTY === true) {
    if (shipped) return { text: shipped.example, isExample: true };
    throw new UsageError("there is no prompt: give it as PROMPT, with --prompt-file, or on stdin");
  }
  const mayBeSilent = file === undefined && shipped !== undefined;
  const text = await readStdin(terminal, mayBeSilent ? PATIENCE_MILLISECONDS : undefined);
  if (mayBeSilent && (text === undefined || text === "")) return { text: shipped.example, isExample: true };
  return { text: notEmpty(text ?? "", "stdin"), isExample: false };
}

function notEmpty(text: string, where: string): string {
  if (text === "") throw new UsageError(`the prompt (${where}) is empty: it wants at least 1 character`);
  return text;
}

async function readPrompt(file: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const problem =
      code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a folder; wanted a text file" : "cannot be read";
    throw new FormatError(file, problem, { cause });
  }
  return asText(file, bytes);
}

function asText(where: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(where, "is not UTF-8 text", { cause });
  }
}

/** All of stdin; undefined if it is silent for `patience` milliseconds from the start. */
async function readStdin({ stdin, signal }: Terminal, patience: number | undefined): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  const undo: (() => void)[] = [];
  try {
    const isWhole = await new Promise<boolean>((resolve, reject) => {
      const on = (event: string, listener: (value: unknown) => void) => {
        stdin.on(event, listener);
        undo.push(() => stdin.off(event, listener));
      };
      const timer = patience === undefined ? undefined : setTimeout(() => resolve(false), patience);
      const abort = () => reject(signal.reason);
      undo.push(
        () => clearTimeout(timer),
        () => signal.removeEventListener("abort", abort),
      );
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort);
      on("data", (chunk) => {
        clearTimeout(timer);
        chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Uint8Array));
      });
      on("end", () => resolve(true));
      on("error", reject);
    });
    return isWhole ? asText("stdin", Buffer.concat(chunks)) : undefined;
  } finally {
    for (const step of undo) step();
    stdin.pause();
  }
}
