// The streams of a command: results on stdout, messages on stderr, and whether either is a terminal. Commands use the process only
// through this, so that tests can run them in their own process.

import { Presets, SingleBar } from "cli-progress";

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

  constructor({ stdin, stdout, stderr, signal, env }: Streams) {
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    this.signal = signal;
    this.env = env;
  }

  /** A part of a result, as it is. */
  write(text: string): void {
    this.stdout.write(text);
  }

  /** Lines of a result. */
  print(...lines: readonly string[]): void {
    this.stdout.write(`${lines.join("\n")}\n`);
  }

  /** A result as one JSON document; a number that JSON lacks (NaN, Infinity) is its name as a string. */
  printJson(value: unknown): void {
    this.print(JSON.stringify(value, nameOddNumbers, 2));
  }

  /** A message that accompanies a result. */
  note(text: string): void {
    if (!this.isQuiet) this.stderr.write(`${paint(text, "dim", this.stderr, this.env)}\n`);
  }

  /** A message that should be seen. */
  warn(text: string): void {
    if (!this.isQuiet) this.stderr.write(`${text}\n`);
  }

  /** The message of a failure. */
  fail(text: string): void {
    this.stderr.write(`kedge: ${text}\n`);
  }

  /** Text for stdout that stands out, or stands back, where stdout is a terminal. */
  style(text: string, style: Style): string {
    return paint(text, style, this.stdout, this.env);
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
          shown.start(Math.max(1, of), done, { label });
        }
        shown.setTotal(Math.max(1, of));
        shown.update(done, { label });
      },
    };
    try {
      return await work(bar);
    } finally {
      shown?.stop();
    }
  }
}

function paint(text: string, style: Style, output: Output, env: Streams["env"]): string {
  const isPlain = output.isTTY !== true || (env["NO_COLOR"] ?? "") !== "";
  return isPlain ? text : `\u001b[${CODES[style]}m${text}\u001b[0m`;
}

function nameOddNumbers(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
