// What JavaScript could still do in the process in which Python runs, should Python code ever reach it.

import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundleWorker, type BundledWorker } from "../bundled-worker.ts";
import { nodeFlags } from "./node-flags.ts";

let realm: BundledWorker;
beforeAll(async () => {
  realm = await bundleWorker("python/realm");
});
afterAll(() => realm.remove());

/** Runs in a process with the sandbox's flags, after the realm was sealed, and gives what it says of each attempt. */
const attempts = `
const { stdout, stderr } = process;
const [{ sealRealm }, fs, net, child, threads] = await Promise.all(
  [URL, "node:fs", "node:net", "node:child_process", "node:worker_threads"].map((name) => import(name)));
const { process: kept } = globalThis;
sealRealm();
const said = (work) => { try { work(); return "open" } catch (error) { return error.code ?? error.message } };
const global = ["process", "require", "fetch", "Buffer", "WebSocket", "setTimeout", "console", "global"].filter((name) => name in globalThis);
const fetched = await import("node:http").then(({ get }) => said(() => get("http://127.0.0.1")));
stdout.write(JSON.stringify({
  global, fetched,
  code: said(() => (() => {}).constructor("return 1")),
  read: said(() => fs.readFileSync("/etc/passwd")),
  write: said(() => fs.writeFileSync("/tmp/kedge-realm", "x")),
  connect: said(() => net.connect(80, "127.0.0.1")),
  socket: said(() => new net.Socket()),
  child: said(() => child.spawnSync("true")),
  thread: said(() => new threads.Worker("1", { eval: true })),
  binding: said(() => kept.binding("fs")),
  kill: said(() => kept.kill(1, 0)),
  env: Object.keys(kept.env).length,
}));
`;

it("is a realm without its host", () => {
  const source = attempts.replace("[URL,", `[${JSON.stringify(realm.url.href)},`);
  const folder = dirname(realpathSync(fileURLToPath(realm.url)));
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...nodeFlags([folder]), "--input-type=module", "--eval", source],
    { env: {}, encoding: "utf8" },
  );
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual({
    global: [],
    fetched: "closed",
    code: expect.stringMatching(/Code generation from strings disallowed/),
    read: "ERR_ACCESS_DENIED",
    write: "ERR_ACCESS_DENIED",
    connect: "closed",
    socket: "closed",
    child: "ERR_ACCESS_DENIED",
    thread: "ERR_ACCESS_DENIED",
    binding: "closed",
    kill: "closed",
    env: 0,
  });
});
