// Shared by the sections of the report: models, tasks, a sandbox, and measurements that several of them quote.

import { loadModel, type Model } from "kedge";
import { PLAIN, type Decoding } from "../evaluation/completer.ts";
import { measure, type Measurement } from "../evaluation/measure.ts";
import { openSandbox, type Sandbox } from "../evaluation/sandbox.ts";
import type { Task } from "../evaluation/task.ts";
import { readTasks } from "../evaluation/tasks.ts";

/** The sets of tasks that come with the shipped models. */
export const SETS = {
  std: "models/kedge-js-5m/eval-std.jsonl",
  long: "models/kedge-js-5m/eval-long.jsonl",
} as const;
export type SetName = keyof typeof SETS;

/** The shipped models. */
export const MODELS = { dense: "models/kedge-js-5m", anchored: "models/kedge-js-5m-anchor" } as const;
export type ModelName = keyof typeof MODELS;

/** Tasks decoded together. */
export const BATCH = 32;

/** The models, tasks and sandbox of the report, and its measurements so far. */
export class ReportContext {
  readonly models: Readonly<Record<ModelName, Model>>;
  readonly tasks: Readonly<Record<SetName, readonly Task[]>>;
  readonly sandbox: Sandbox;
  readonly log: (line: string) => void;
  readonly #limit: number | undefined;
  readonly #measured = new Map<string, Promise<Measurement>>();

  private constructor(parts: Pick<ReportContext, "models" | "tasks" | "sandbox" | "log">, limit: number | undefined) {
    this.models = parts.models;
    this.tasks = parts.tasks;
    this.sandbox = parts.sandbox;
    this.log = parts.log;
    this.#limit = limit;
  }

  /** Loads the models and tasks. `limit` shortens each set of tasks, for a trial of the report. */
  static async open(log: (line: string) => void, limit?: number): Promise<ReportContext> {
    const [dense, anchored] = [await loadModel(MODELS.dense), await loadModel(MODELS.anchored)];
    const [std, long] = [await readTasks(SETS.std), await readTasks(SETS.long)];
    const cut = (tasks: readonly Task[]) => tasks.slice(0, limit ?? tasks.length);
    const tasks = { std: cut(std), long: cut(long) };
    return new ReportContext({ models: { dense, anchored }, tasks, sandbox: openSandbox({ workers: 2 }), log }, limit);
  }

  get isCut(): boolean {
    return this.#limit !== undefined;
  }

  /** Measures one way of decoding one set with one model, once. */
  measure(model: ModelName, set: SetName, decoding: Partial<Decoding> = {}): Promise<Measurement> {
    const whole = { ...PLAIN, ...decoding };
    const key = JSON.stringify([model, set, { ...whole, cache: whole.cache?.name }]);
    let measured = this.#measured.get(key);
    if (!measured) {
      this.log(`${model} on ${set}: ${whole.cache?.name ?? "the model's cache"}, strength ${whole.strength}`);
      measured = this.#run(this.models[model], this.tasks[set], whole);
      this.#measured.set(key, measured);
    }
    return measured;
  }

  async dispose(): Promise<void> {
    await this.sandbox.dispose();
    for (const model of Object.values(this.models)) await model.dispose();
  }

  #run(model: Model, tasks: readonly Task[], decoding: Decoding): Promise<Measurement> {
    return measure({ model, modelName: "shipped", tasks, sandbox: this.sandbox, decoding, batchSize: BATCH });
  }
}
