// The command as a process: output that nobody takes, disks without room, signals, and two on one file.

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, openSync, closeSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Outcome } from "../support/command.ts";
import { isFullExtent } from "../support/extent.ts";
import { tinyFiles } from "../support/tiny-model.ts";

const KEDGE = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const BENCH = fileURLToPath(new URL("../../dist/bench.js", import.meta.url));
const SHIPPED = "models/kedge-js-5m";
const TASKS = `${SHIPPED}/eval-std.jsonl`;
const folder = mkdtempSync(join(tmpdir(), "kedge-processes-"));
const at = (name: string): string => join(folder, name);
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(at("int8 for nobody"), { recursive: true, force: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const unfinished = (): string[] => readdirSync(folder).filter((name) => name.includes("unfinished"));

/** A process of the command; its outcome comes with `ended`. `stdout` may be a file's descriptor. */
function start(args: readonly string[], stdout: "pipe" | number = "pipe", script = KEDGE, shell = "") {
  const line = [script, ...args];
  const child =
    shell === ""
      ? spawn(process.execPath, line, { stdio: ["ignore", stdout, "pipe"] })
      : spawn("bash", ["-c", `${shell}; exec "$0" "$@"`, process.execPath, ...line], {
          stdio: ["ignore", stdout, "pipe"],
        });
  children.push(child);
  const texts = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (texts.stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (texts.stderr += chunk.toString()));
  const ended = new Promise<Outcome & { readonly signal: string | null }>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? -1, signal, ...texts }));
  });
  return { child, ended };
}

async function until(holds: () => boolean): Promise<void> {
  for (const begin = performance.now(); !holds();) {
    if (performance.now() - begin > 60_000) throw new Error("it never came to that");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const printing: readonly (readonly [string, readonly string[]])[] = [
  ["--help", ["--help"]],
  ["inspect", ["inspect", SHIPPED, "--tensors"]],
  ["run", ["run", SHIPPED, "function", "--max-tokens", "3", "--quiet"]],
];
const others: readonly (readonly [string, readonly string[]])[] = [
  ["run --json", ["run", SHIPPED, "function", "--max-tokens", "3", "--quiet", "--json"]],
  ["a verb's help", ["eval", "--help"]],
  ["--version", ["--version"]],
  ["estimate", ["estimate", SHIPPED, "--json"]],
  ["verify --against", ["verify", SHIPPED, "--device", "wasm", "--against", "reference", "--json"]],
  ["attention", ["attention", SHIPPED, "function", "--max-tokens", "3"]],
  ["eval", ["eval", SHIPPED, TASKS, "--limit", "1"]],
  ["eval --check-references", ["eval", SHIPPED, TASKS, "--check-references", "--limit", "1"]],
  ["quantize", ["quantize", SHIPPED, at("int8 for nobody"), "--format", "int8"]],
  ["doctor", ["doctor"]],
  ["bench", ["bench", SHIPPED, "--rounds", "1", "--tokens", "2"]],
];
const verbs = isFullExtent ? [...printing, ...others] : printing;

describe.skipIf(!existsSync("/dev/full"))("a disk without room", () => {
  test.each(verbs)("for the output of %s is a sentence and exit code 1", async (_, args) => {
    const full = openSync("/dev/full", "w");
    const { code, stderr } = await start(args, full).ended;
    closeSync(full);
    expect(stderr.split("\n").filter((line) => line.startsWith("kedge: "))).toEqual([
      "kedge: stdout cannot be written (ENOSPC: the disk is full)",
    ]);
    expect(stderr).not.toMatch(/\bat .*:\d+:\d+/);
    expect(code).toBe(1);
  });

  test("for the output of the bench is one too", async () => {
    const full = openSync("/dev/full", "w");
    const { code, stderr } = await start(["--help"], full, BENCH).ended;
    closeSync(full);
    expect([stderr, code]).toEqual(["bench: stdout cannot be written (ENOSPC: the disk is full)\n", 1]);
  });

  test("after a part of the output was taken is seen too", async () => {
    const out = openSync(at("cut.json"), "w");
    const { code, stderr } = await start(["inspect", SHIPPED, "--tensors", "--json"], out, KEDGE, "ulimit -f 1").ended;
    closeSync(out);
    expect(stderr).toMatch(/^kedge: stdout cannot be written \(EFBIG: [^\n]*\n$/);
    expect(code).toBe(1);
  });

  test("for the files of a model is a sentence, and nothing is left", async () => {
    const args = ["quantize", SHIPPED, at("int8"), "--format", "int8"];
    const { code, stderr } = await start(args, "pipe", KEDGE, "ulimit -f 600").ended;
    expect(stderr).toMatch(/^kedge: [^\n]*int8: [^\n]+ cannot be written \(EFBIG: [^\n]*\n$/);
    expect(code).toBe(1);
    expect(readdirSync(folder).filter((name) => name.includes("int8"))).toEqual([]);
  });
});

test.each(verbs)("a reader that leaves %s before it reads ends it without a word", async (_, args) => {
  const { child, ended } = start(args);
  child.stdout!.destroy();
  const { code, signal, stderr } = await ended;
  expect(stderr.split("\n").filter((line) => line.startsWith("kedge: "))).toEqual([]);
  expect(stderr).not.toMatch(/\bat .*:\d+:\d+|EPIPE/);
  expect([code, signal]).toEqual([1, null]);
});

test("a reader that leaves in the middle ends what would go on", async () => {
  const { child, ended } = start(["run", SHIPPED, "function", "--max-tokens", "900", "--temperature", "1"]);
  child.stdout!.once("data", () => child.stdout!.destroy());
  const { code } = await ended;
  expect(code).toBe(1);
});

describe("a signal", () => {
  let server: Server;
  let isStalled = false;
  beforeAll(async () => {
    const files = tinyFiles({ vocab_size: 150_000 }); // weights of more than one range
    server = createServer(async (request, response) => {
      const blob = files.get(new URL(request.url!, "http://x").pathname.split("/").at(-1)!);
      if (!blob) return response.writeHead(404).end();
      const bytes = Buffer.from(await blob.arrayBuffer());
      const [, begin, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
      if (begin === undefined)
        return response.writeHead(200, { "content-length": bytes.length, "accept-ranges": "bytes" }).end(bytes);
      const [from, to] = [Number(begin), Math.min(Number(end), bytes.length - 1)];
      response.writeHead(206, {
        "content-range": `bytes ${from}-${to}/${bytes.length}`,
        "content-length": to - from + 1,
      });
      isStalled = from > 100_000; // in the weights: their last part never comes
      if (!isStalled) response.end(bytes.subarray(from, to + 1));
      else response.flushHeaders();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => server.closeAllConnections());
  afterAll(() => server.close());

  test.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGINT", 130],
  ] as const)("%s leaves nothing of a model that is being written", async (signal, wanted) => {
    isStalled = false;
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const { child, ended } = start(["quantize", url, at("half"), "--format", "int4"]);
    await until(() => unfinished().length === 1 && isStalled);
    child.kill(signal);
    const { code, stderr } = await ended;
    expect([unfinished(), code]).toEqual([[], wanted]);
    expect(stderr).not.toMatch(/\bat .*:\d+:\d+/);
  });
});

describe("two on one file", () => {
  test.each([
    ["eval", (file: string) => ["eval", SHIPPED, TASKS, "--batch", "1", "--results", file, "--resume"]],
    ["tune", (file: string) => ["tune", SHIPPED, TASKS, "--limit", "2", "--high", "99", "--out", file]],
  ])("%s: the second is refused, whatever the first does; a killed one leaves no lock", async (verb, args) => {
    const file = at(`${verb}.json`);
    const first = start(args(file));
    await until(() => existsSync(file));
    first.child.kill("SIGSTOP");
    const second = await start(args(file)).ended;
    const holder = first.child.pid!;
    expect(second.stderr).toBe(
      `kedge: ${file}: is in use by process ${holder}: wait until that ends, or name another file\n`,
    );
    expect([second.code, second.stdout]).toEqual([1, ""]);
    first.child.kill("SIGKILL");
    await first.ended;
    expect(readdirSync(folder).filter((name) => name.includes(verb))).toEqual([`${verb}.json`]);
    const third = start(args(file));
    const size = readFileSync(file).length;
    await until(() => readFileSync(file).length > size);
    third.child.kill("SIGTERM");
    const { code, stderr } = await third.ended;
    expect(stderr).toContain("continues");
    expect(code).toBe(143);
  });
});
