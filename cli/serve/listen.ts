// The server on its port, with limits for slow and silent clients.

import type { Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";

/** Connections at a time; further ones are closed at once. */
const MOST_CONNECTIONS = 1024;
/** How long a client may take for the headers of a request, and for all of it. */
const HEADERS_MILLISECONDS = 20_000;
const REQUEST_MILLISECONDS = 60_000;

/** A server that listens. */
export interface Listening {
  readonly port: number;
  /** takes no further connections, and closes those on which nothing is going on */
  stop(): void;
  /** closes all that is left */
  close(): Promise<void>;
}

/** Listens on a port, 0 for a free one. Throws in one sentence if that cannot be. */
export async function listen(app: Hono, host: string, port: number): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    overrideGlobalObjects: false,
    serverOptions: { headersTimeout: HEADERS_MILLISECONDS, requestTimeout: REQUEST_MILLISECONDS },
  }) as HttpServer;
  server.maxConnections = MOST_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(problemOf(error, host, port)));
    server.listen(port, host, resolve);
  });
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      server.close();
      server.closeIdleConnections();
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there already: choose another with --port",
  EACCES: "this user may not listen there: choose a --port of 1024 or above",
  EADDRNOTAVAIL: "this machine has no such address: choose another --host",
  ENOTFOUND: "there is no such host: choose another --host",
};

/** An error with the code of the system's. */
function problemOf(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const problem = PROBLEMS[error.code ?? ""];
  if (problem === undefined) return error;
  return Object.assign(new Error(`${host}:${port}: ${problem}`, { cause: error }), { code: error.code });
}
