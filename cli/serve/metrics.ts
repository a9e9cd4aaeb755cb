// What Prometheus reads of the server. Names and help are in the text that /metrics gives.

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ServedModels } from "./served-model.ts";

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** The server's metrics. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<"endpoint" | "model" | "status">;
  readonly #promptTokens: Counter<"model">;
  readonly #generatedTokens: Counter<"model">;
  readonly #seconds: Histogram<"endpoint" | "model">;
  readonly #firstToken: Histogram<"model">;

  constructor(models: ServedModels) {
    const registers = [this.#registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Counter({ name, help, labelNames, registers });
    this.#requests = counter("kedge_requests_total", "Requests that ended, by HTTP status; 499: the client left", [
      "endpoint",
      "model",
      "status",
    ]);
    this.#promptTokens = counter("kedge_prompt_tokens_total", "Tokens of prompts", ["model"]);
    this.#generatedTokens = counter("kedge_generated_tokens_total", "Tokens that were generated", ["model"]);
    const histogram = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Histogram({ name, help, labelNames, buckets: SECONDS, registers });
    this.#seconds = histogram("kedge_request_seconds", "Duration of requests, waiting included", ["endpoint", "model"]);
    this.#firstToken = histogram("kedge_first_token_seconds", "From a request's arrival to its first token", ["model"]);
    const gauge = (name: string, help: string, read: (model: ServedModels["all"][number]) => number) =>
      new Gauge({
        name,
        help,
        labelNames: ["model"],
        registers,
        collect() {
          for (const served of models.all) this.set({ model: served.id }, read(served));
        },
      });
    gauge("kedge_rows_running", "Rows that requests have taken", ({ admission }) => admission.taken.rows);
    gauge("kedge_requests_waiting", "Requests in the queue", ({ admission }) => admission.waiting);
    gauge(
      "kedge_cache_reserved_bytes",
      "Bytes of keys and values that running requests can come to",
      ({ admission }) => admission.taken.bytes,
    );
    gauge(
      "kedge_cache_limit_bytes",
      "Bytes of keys and values that requests may take",
      ({ admission }) => admission.limits.bytes,
    );
    gauge(
      "kedge_cache_live_bytes",
      "Bytes of keys and values of tokens that are alive",
      ({ model }) => model.memory().cache.live,
    );
    gauge(
      "kedge_cache_allocated_bytes",
      "Bytes that are set aside for keys and values",
      ({ model }) => model.memory().cache.allocated,
    );
    const resident = new Gauge({
      name: "process_resident_memory_bytes",
      help: "Resident memory of the process",
      registers: [],
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
    this.#registry.registerMetric(resident);
  }

  /** Counts a request that has ended. `model` is a served one's name, or empty. */
  ended(endpoint: string, model: string, status: number, seconds: number): void {
    this.#requests.inc({ endpoint, model, status: String(status) });
    this.#seconds.observe({ endpoint, model }, seconds);
  }

  /** Counts tokens. */
  tokens(model: string, prompt: number, generated: number): void {
    this.#promptTokens.inc({ model }, prompt);
    this.#generatedTokens.inc({ model }, generated);
  }

  /** Notes the time to a request's first token. */
  firstToken(model: string, seconds: number): void {
    this.#firstToken.observe({ model }, seconds);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of all metrics. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
