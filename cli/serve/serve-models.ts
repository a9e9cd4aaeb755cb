// Loads models, answers requests for them until the command is interrupted, and then ends in order: requests that run are finished.

import { basename, resolve as absolute } from "node:path";
import type { LoadOptions, Model } from "kedge";
import { UsageError } from "../arguments.ts";
import { withModel } from "../loading.ts";
import { findModel, type FoundModel } from "../model-source.ts";
import type { Terminal } from "../terminal.ts";
import { LOOPBACK_HOSTS, makeApp, type Access } from "./app.ts";
import { listen } from "./listen.ts";
import { ServedModel, type ModelLimits } from "./served-model.ts";
import { Server, type ServerLimits } from "./server.ts";

/** A model to serve. */
export interface NamedSource {
  /** the name of its folder, if none is given */
  readonly name: string | undefined;
  readonly source: string;
}

/** How to serve. */
export interface ServeOptions {
  readonly sources: readonly NamedSource[];
  readonly host: string;
  readonly port: number;
  readonly access: Pick<Access, "apiKey" | "corsOrigins">;
  readonly limits: ServerLimits & ModelLimits;
  /** how long requests may go on when the server ends */
  readonly drainSeconds: number;
  readonly load: LoadOptions;
}

/** Serves until the terminal's signal is aborted. */
export async function serveModels(options: ServeOptions, terminal: Terminal): Promise<void> {
  const { host, access, limits } = options;
  const server = new Server(limits, (error) =>
    terminal.warn(`kedge serve: ${error instanceof Error ? error.stack : String(error)}`),
  );
  const isLoopback = LOOPBACK_HOSTS.has(host) || LOOPBACK_HOSTS.has(`[${host}]`);
  const app = makeApp(server, { ...access, hosts: isLoopback ? LOOPBACK_HOSTS : undefined });
  const listening = await listen(app, host, options.port);
  try {
    if (!isLoopback && access.apiKey === undefined) {
      terminal.warn(
        `note: everybody who reaches ${host} can use this server: --api-key or KEDGE_API_KEY asks for a key`,
      );
    }
    await withModels(options.sources, options.load, terminal, async (all) => {
      for (const [id, model] of all) server.models.add(new ServedModel(id, model, limits));
      server.isReady = true;
      const names = server.models.all.map(({ id }) => id).join(", ");
      const address = host.includes(":") ? `[${host}]` : host;
      terminal.print(`serving ${names} at http://${address}:${listening.port}/v1`);
      await aborted(terminal.signal);
      listening.stop();
      if (server.running > 0) terminal.note(`finishing ${server.running} of the requests; a second signal ends them`);
      await server.drain(options.drainSeconds);
    });
  } finally {
    await listening.close();
  }
}

/** Loads the models one after the other, by name, and frees them when `work` is done. */
async function withModels(
  [first, ...rest]: readonly NamedSource[],
  options: LoadOptions,
  terminal: Terminal,
  work: (all: ReadonlyMap<string, Model>) => Promise<void>,
  loaded: ReadonlyMap<string, Model> = new Map(),
): Promise<void> {
  if (!first) return work(loaded);
  const found = await findModel(first.source, terminal);
  const id = first.name ?? nameOf(first.source, found);
  if (loaded.has(id)) {
    throw new UsageError(`two models are called ${JSON.stringify(id)}: give one another name with NAME=MODEL`);
  }
  await withModel(found, options, terminal, ({ model }) =>
    withModels(rest, options, terminal, work, new Map([...loaded, [id, model]])),
  );
}

/** What clients call a model: `owner/name` of the Hub, else the name of the folder. */
function nameOf(source: string, { where }: FoundModel): string {
  if (where === "hub") return source;
  const path = where === "web" ? new URL(source).pathname : absolute(source);
  return basename(path) || source;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
