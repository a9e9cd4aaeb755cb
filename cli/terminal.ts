// The streams of a command: results on stdout, messages on stderr, and whether either is a terminal. Commands use the process only
// through this, so that tests can run them in their own process.
//
// Words of files (names of tensors, tokens, templates, texts of models) reach a terminal only here, and only by `visibleText`: no
// escape sequence in a file acts on a terminal. Lines and messages are shown so wherever they go. What a model writes is
// shown so on a terminal, its line breaks and tabs aside; into a pipe or a file it goes as it is.

import { randomUUID } from "node:crypto";
import { Presets, SingleBar } from "cli-progress";
import { visibleText } from "kedge/loaders";
import { Interruption } from "./interruption.ts";

/** A stream that text is written to; `process.stdout` is one. */
export type Output = NodeJS.WritableStream & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

/** The streams and the signal of a command. */
export interface Streams {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined };
  readonly stdout: Output;
  readonly stderr: Output;
  /** aborted by Ctrl-C */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A progress bar. */
export interface Bar {
  update(done: number, of: number, label: string): void;
}

/** How long something takes before it gets a bar. */
const PATIENCE_MILLISECONDS = 250;
const CODES = { bold: 1, dim: 2, red: 31, green: 32 } as const;
/** How a text may look on a terminal. */
export type Style = keyof typeof CODES;

/** Streams, and what commands do with them. */
export class Terminal {
  readonly stdin: Streams["stdin"];
  readonly stdout: Output;
  readonly stderr: Output;
  readonly signal: AbortSignal;
  readonly env: Streams["env"];
  /** true: of messages, only those of failures are printed */
  isQuiet = false;
  /** stands for the beginning of an escape of our own; no file can know it */
  readonly #mark = `\u0001${randomUUID()}`;

  constructor({ stdin, stdout, stderr, signal, env }: Streams) {
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    this.signal = signal;
    this.env = env;
  }

  /** A part of a result: as it is, but on a terminal without carriage returns and with what would act on the terminal made visible. */
  write(text: string): void {
    if (this.stdout.isTTY !== true) return void this.stdout.write(text);
    const kept = text.replaceAll("\r", "").split(/([\n\t])/);
    this.stdout.write(kept.map((part, i) => (i % 2 === 1 ? part : this.#shown(part))).join(""));
  }

  /** Lines of a result, each of which stays one. */
  print(...lines: readonly string[]): void {
    this.stdout.write(`${lines.map((line) => this.#shown(line)).join("\n")}\n`);
  }

  /** A result as one JSON document; a number that JSON lacks (NaN, Infinity) is its name as a string. */
  printJson(value: unknown): void {
    const lines = JSON.stringify(value, nameOddNumbers, 2).split("\n");
    // JSON escapes the controls of C0 itself; all others have the same form
    this.stdout.write(`${lines.map(visibleText).join("\n")}\n`);
  }

  /** A message that accompanies a result. */
  note(text: string): void {
    if (this.#isHeard()) this.stderr.write(`${paint(visibleText(text), "dim", this.stderr, this.env)}\n`);
  }

  /** A message that should be seen. */
  warn(text: string): void {
    if (this.#isHeard()) this.stderr.write(`${visibleText(text)}\n`);
  }

  /** The message of a failure. */
  fail(text: string): void {
    this.stderr.write(`kedge: ${visibleText(text)}\n`);
  }

  /** Text for `print` and `write` that stands out, or stands back, where stdout is a terminal. */
  style(text: string, style: Style): string {
    return isPlain(this.stdout, this.env) ? text : `${this.#mark}${CODES[style]}m${text}${this.#mark}0m`;
  }

  /** The prompt of a reader of lines, which writes it itself. */
  promptText(text: string): string {
    return paint(text, "bold", this.stdout, this.env);
  }

  /** Does something long with a bar on stderr: on a terminal only, and only while it lasts. */
  async withBar<T>(work: (bar: Bar) => Promise<T>): Promise<T> {
    if (this.stderr.isTTY !== true || this.isQuiet) return work({ update: () => undefined });
    const begun = performance.now();
    const stream = this.stderr;
    let shown: SingleBar | undefined;
    const bar: Bar = {
      update(done, of, label) {
        if (performance.now() - begun < PATIENCE_MILLISECONDS) return;
        if (!shown) {
          const options = { stream, format: "{bar} {percentage}% {label}", barsize: 24, clearOnComplete: true };
          shown = new SingleBar({ ...options, hideCursor: true, linewrap: null }, Presets.shades_classic);
          shown.start(Math.max(1, of), done, { label: visibleText(label) });
        }
        shown.setTotal(Math.max(1, of));
        shown.update(done, { label: visibleText(label) });
      },
    };
    try {
      return await work(bar);
    } finally {
      shown?.stop();
    }
  }

  #isHeard(): boolean {
    const { reason } = this.signal;
    return !this.isQuiet && !(reason instanceof Interruption && reason.isSilent);
  }

  /** A line with its styles, and all else visible. */
  #shown(line: string): string {
    const [first = "", ...styled] = line.split(this.#mark);
    return [visibleText(first), ...styled.map(showStyled)].join("");
  }
}

/** What stands behind a mark: the number of a style, then text. */
function showStyled(text: string): string {
  const end = text.indexOf("m") + 1;
  return `\u001b[${text.slice(0, end)}${visibleText(text.slice(end))}`;
}

function isPlain(output: Output, env: Streams["env"]): boolean {
  return output.isTTY !== true || (env["NO_COLOR"] ?? "") !== "";
}

function paint(text: string, style: Style, output: Output, env: Streams["env"]): string {
  return isPlain(output, env) ? text : `\u001b[${CODES[style]}m${text}\u001b[0m`;
}

function nameOddNumbers(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
