// HTTP servers on this machine for one test each: they are gone after it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach } from "vitest";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers a request; `count` is 1 for the first. */
export type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => unknown;

/** Starts a server that answers so, and returns its address without a path. */
export async function serveLocally(answer: Answer): Promise<string> {
  let count = 0;
  const server = createServer((request, response) => void answer(request, response, ++count));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
