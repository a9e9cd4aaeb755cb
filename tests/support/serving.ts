// `kedge serve` in a test: in this process, on a free port, until the test file is done.

import { PassThrough, Readable } from "node:stream";
import { afterAll } from "vitest";
import { main } from "../../cli/main.ts";

/** A server that answers. */
export interface Serving {
  /** without a path at the end: `http://127.0.0.1:1234` */
  readonly url: string;
  /** what it has said on stderr */
  readonly messages: () => string;
  /** Ends it as SIGTERM does, and resolves with the exit code. */
  stop(): Promise<number>;
}

const servers: Serving[] = [];
afterAll(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

/** Starts a server with the arguments of `kedge serve`; on the device wasm unless they say otherwise. */
export async function serving(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Serving> {
  const interruption = new AbortController();
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  let said = "";
  let errors = "";
  const started = new Promise<string>((resolve) => {
    stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const url = /serving .* at (http:\/\/\S+)\/v1/.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const device = args.includes("--device") ? [] : ["--device", "wasm", "--threads", "1"];
  const ended = main(["serve", "--port", "0", ...device, ...args], {
    stdin: Readable.from([]),
    stdout,
    stderr,
    signal: interruption.signal,
    env,
  });
  const url = await Promise.race([started, ended.then((code) => Promise.reject(new Error(`exit ${code}: ${errors}`)))]);
  const server: Serving = {
    url,
    messages: () => errors,
    stop() {
      interruption.abort(new Error("ended by the test"));
      return ended;
    },
  };
  servers.push(server);
  return server;
}

/** Posts JSON and resolves with status, headers and the document that came back. */
export async function post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, json: (await response.json()) as Json };
}

/** What a server says, to be looked into. */
// eslint-disable-next-line typescript/no-explicit-any
export type Json = any;

/** The message of the error that a request is refused with, with its status and code. */
export async function refusalOf(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  const { status, json } = await post(url, body, headers);
  const { message, code, param } = (json as { error: { message: string; code: string | null; param: string | null } })
    .error;
  return { status, message, code, param };
}

/** The number of a metric of the only model. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${name}{`) || one.startsWith(`${name} `));
  return Number(line?.split(" ").at(-1));
}

/** Waits until something holds. Throws after 10 s. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const begin = performance.now(); !(await holds());) {
    if (performance.now() - begin > 10_000) throw new Error("waited 10 s in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
