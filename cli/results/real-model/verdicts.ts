// Judges programs, each once: what a program came to is kept by the program's own digest, so that texts which several ways of decoding
// have in common are run once, and a report is made again without running anything.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { openLines, type LineKind, type LinesFile } from "../../evaluation/lines-file.ts";
import type { Sandbox } from "../../evaluation/sandbox.ts";
import type { Program } from "../../evaluation/task.ts";
import type { BenchmarkName, TestsName } from "./plan.ts";

/** How a program fared. */
export interface Verdict {
  readonly passed: boolean;
  /** why it failed */
  readonly kind?: string;
}

interface VerdictLine extends Verdict {
  /** the task's, and the program's digest */
  readonly id: string;
}

const kind: LineKind<VerdictLine> = {
  field: "kedgeVerdicts",
  version: 1,
  fileName: "a file of verdicts",
  lineName: "the verdict on a program",
  read({ id, passed, kind: failure }) {
    if (typeof id !== "string" || typeof passed !== "boolean") return undefined;
    return typeof failure === "string" ? { id, passed, kind: failure } : { id, passed };
  },
  write: (line) => ({ ...line }),
};

interface Open {
  readonly file: LinesFile<VerdictLine>;
  readonly known: Map<string, Promise<Verdict>>;
}

/** The verdicts in a folder, a file for each benchmark and kind of tests. Close it when done. */
export class Verdicts {
  readonly #folder: string;
  readonly #sandbox: Sandbox;
  readonly #open = new Map<string, Open>();

  constructor(folder: string, sandbox: Sandbox) {
    this.#folder = folder;
    this.#sandbox = sandbox;
  }

  /** How a program for a task fared, run unless that is known. */
  judge(benchmark: BenchmarkName, tests: TestsName, taskId: string, program: Program): Promise<Verdict> {
    const { file, known } = this.#file(benchmark, tests);
    const id = `${taskId} ${digestOf(program)}`;
    let verdict = known.get(id);
    if (verdict === undefined) {
      verdict = this.#sandbox.run(program).then((outcome): Verdict => {
        const judged = outcome.passed ? { passed: true } : { passed: false, kind: outcome.kind };
        file.append({ id, ...judged });
        return judged;
      });
      known.set(id, verdict);
    }
    return verdict;
  }

  /** Closes the files. */
  close(): void {
    for (const { file } of this.#open.values()) file.close();
    this.#open.clear();
  }

  #file(benchmark: BenchmarkName, tests: TestsName): Open {
    const name = `${benchmark}_verdicts-${tests}.jsonl`;
    let open = this.#open.get(name);
    if (open === undefined) {
      const file = openLines(kind, join(this.#folder, name), { benchmark, tests, ...this.#sandbox.limits }, true);
      open = { file, known: new Map(file.done.map(({ id, ...verdict }) => [id, Promise.resolve(verdict)])) };
      this.#open.set(name, open);
    }
    return open;
  }
}

/** Tells programs and their checks apart: 16 hexadecimal digits. */
function digestOf({ source, check }: Program): string {
  return createHash("sha256")
    .update(JSON.stringify([source, check]))
    .digest("hex")
    .slice(0, 16);
}
