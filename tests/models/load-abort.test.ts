// An abort ends a load within a second, wherever it is and whatever it waits for, and what the load took is given back.

import { mkdtemp, readdir, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel, type LoadOptions, type ModelSource } from "kedge";
import { findFolder, httpFolder, type ByteSource, type ModelFolder } from "kedge/loaders";
import { describe, expect, test } from "vitest";
import { testDevice } from "../support/devices.ts";
import { isFullExtent } from "../support/extent.ts";
import { serveLocally } from "../support/local-server.ts";
import { tinyFiles, tinyFolder } from "../support/tiny-model.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const files = new Map<string, Uint8Array>();
for (const [name, blob] of tinyFiles()) files.set(name, new Uint8Array(await blob.arrayBuffer()));
files.set("tokenizer.json", new TextEncoder().encode(`{"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}`));
// Weights beyond the block that the first request brings.
const weights = files.get("model.safetensors")!;
expect(weights.byteLength).toBeGreaterThan(200_000);

/** Serves the model's files, by ranges. */
const answerFile = (request: IncomingMessage, response: ServerResponse) => {
  const bytes = files.get(request.url!.replace(/^.*\//, ""));
  if (!bytes) return response.writeHead(404, { "x-error-code": "EntryNotFound" }).end();
  const [, first = "0", last = bytes.byteLength - 1] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const begin = Number(first);
  const end = Math.min(Number(last || bytes.byteLength - 1) + 1, bytes.byteLength);
  const headers = { etag: '"1"', "content-range": `bytes ${begin}-${end - 1}/${bytes.byteLength}` };
  return response.writeHead(206, { ...headers, "content-length": end - begin }).end(bytes.subarray(begin, end));
};

/** Runs until `reached` and a moment more, aborts, and gives the milliseconds until the end. */
async function abortAfter(reached: Promise<unknown>, run: (signal: AbortSignal) => Promise<unknown>): Promise<number> {
  const abort = new AbortController();
  const running = run(abort.signal).then(
    () => "ended",
    (error: unknown) => error,
  );
  await Promise.race([reached, running]);
  await sleep(10);
  const reason = new Error("enough");
  abort.abort(reason);
  const begin = performance.now();
  expect(await running).toBe(reason);
  return performance.now() - begin;
}

const load =
  (source: ModelSource, options: LoadOptions = {}) =>
  (signal: AbortSignal) =>
    loadModel(source, { device: "reference", ...options, signal });

/** A promise, and what resolves it. */
function gate(): { readonly reached: Promise<void>; readonly reach: () => void } {
  let reach: (() => void) | undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  return { reached, reach: reach! };
}

describe("a server that stalls", () => {
  const names = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"];
  test.each([
    ...names.map((name) => [`before the headers of ${name}`, name, "headers"] as const),
    ...names.map((name) => [`in the middle of ${name}`, name, "body"] as const),
    ["in a range of the weights", "model.safetensors", "range"] as const,
    ["in a redirect of the weights", "model.safetensors", "redirect"] as const,
    ["for a pause that it asks for", "model.safetensors", "busy"] as const,
  ])("%s", async (_, name, where) => {
    const { reached, reach } = gate();
    const url = await serveLocally((request, response) => {
      if (request.url === "/stalled") return reach();
      const isOpening = request.headers.range === "bytes=0-65535";
      if (!request.url!.endsWith(name) || (where === "range" && isOpening)) return answerFile(request, response);
      if (where === "redirect") return response.writeHead(302, { location: "/stalled" }).end();
      if (where === "busy") response.writeHead(503, { "retry-after": "50" }).end();
      else if (where !== "headers") {
        const [, begin = "0", last = "0"] = /^bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? [];
        const length = name === "model.safetensors" ? weights.byteLength : 5000;
        const end = Math.min(Number(last) + 1, length);
        response.writeHead(206, {
          "content-range": `bytes ${begin}-${end - 1}/${length}`,
          "content-length": end - Number(begin),
        });
        response.write(weights.subarray(Number(begin), Number(begin) + 20));
      }
      return reach();
    });
    expect(await abortAfter(reached, load(url))).toBeLessThan(1000);
  });

  test.each(["revision", "tree", "resolve", "bytes"])("of the Hub, at %s", async (where) => {
    const cacheDir = await mkdtemp(join(tmpdir(), "kedge-abort-"));
    const { reached, reach } = gate();
    const hubUrl = await serveLocally((request, response) => {
      const path = request.url!;
      const isBytes = where === "bytes" && path.includes("config.json") && request.headers.range !== "bytes=0-0";
      if (path.includes(`/${where}/`) || isBytes) {
        if (isBytes) response.writeHead(206, { "content-range": "bytes 0-999/1000", etag: '"1"' }).write("{");
        return reach();
      }
      const json = (value: unknown) =>
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
      if (path.includes("/revision/"))
        return json({ _id: "1", id: "me/tiny", sha: COMMIT, lastModified: "2024-01-01" });
      const entry = (name: string) => ({ type: "file", path: name, size: files.get(name)!.byteLength, oid: "1" });
      if (path.includes("/tree/")) return json([...files.keys()].map(entry));
      return answerFile(request, response);
    });
    const run = async (signal: AbortSignal) => {
      const { folder } = await findFolder("me/tiny", { hubUrl, cacheDir, signal });
      return loadModel(folder, { device: "reference", signal });
    };
    expect(await abortAfter(reached, run)).toBeLessThan(1000);
    await rm(cacheDir, { recursive: true });
  });
});

describe("something of the caller's that never answers, and knows no signal", () => {
  test("a fetch, as while a name is looked up", async () => {
    const { reached, reach } = gate();
    const stalled = (() => (reach(), never())) as typeof fetch;
    expect(await abortAfter(reached, load(httpFolder("http://nowhere.test", { fetch: stalled })))).toBeLessThan(1000);
  });

  test.each(["has", "open", "read"] as const)("a folder, in %s", async (where) => {
    const { reached, reach } = gate();
    const inner = tinyFolder();
    const stall = <T>() => (reach(), never<T>());
    const folder: ModelFolder = {
      ...inner,
      has: (file) => (where === "has" ? stall() : inner.has(file)),
      async open(file) {
        if (where === "open") return stall();
        const source: ByteSource = await inner.open(file);
        return where === "read" && file === "model.safetensors" ? { ...source, read: () => stall() } : source;
      },
    };
    expect(await abortAfter(reached, load(folder))).toBeLessThan(1000);
  });

  test("an adapter, while the device is opened", async () => {
    const { reached, reach } = gate();
    const gpu = { requestAdapter: () => (reach(), never()), wgslLanguageFeatures: new Set() } as never;
    expect(await abortAfter(reached, load(tinyFolder(), { device: "webgpu", webgpu: { gpu } }))).toBeLessThan(1000);
  });
});

const countThreads = async () => (await readdir("/proc/self/task")).length;

describe("a load that is aborted", () => {
  const phases = ["files", "weights", "kernels"] as const;
  const aborting = (phase: (typeof phases)[number], abort: AbortController): LoadOptions => ({
    signal: abort.signal,
    onProgress: (progress) => {
      if (progress.phase === phase && progress.done > 0) abort.abort(new Error("enough"));
    },
  });

  test.each(["reference", "wasm", ...(isFullExtent ? (["webgpu"] as const) : [])] as const)(
    "at any phase on %s leaves nothing on a device of the caller's",
    async (name) => {
      const device = await testDevice(name);
      for (const phase of phases) {
        for (const quantize of [undefined, "int4"] as const) {
          const options = { device, quantize, ...aborting(phase, new AbortController()) };
          await expect(loadModel(tinyFolder(), options), `${phase}, ${quantize}`).rejects.toThrow("enough");
          // Known-answer tests that are under way on a GPU end in the background.
          for (let i = 0; i < 500 && Object.values(device.memory()).some((bytes) => bytes > 0); i++) await sleep(10);
          expect(device.memory(), `${phase}, ${quantize}`).toEqual({ weights: 0, cache: 0, activations: 0 });
        }
      }
      await device.dispose();
    },
  );

  test.runIf(process.platform === "linux")("ends the threads of its own device", async () => {
    await (await loadModel(tinyFolder(), { device: "wasm", threads: 3 })).dispose();
    const before = await countThreads();
    for (const phase of phases) {
      const options = { device: "wasm", threads: 3, ...aborting(phase, new AbortController()) } as const;
      await expect(loadModel(tinyFolder(), options), phase).rejects.toThrow("enough");
      for (let i = 0; i < 100 && (await countThreads()) > before; i++) await sleep(10);
      expect(await countThreads(), phase).toBeLessThanOrEqual(before);
    }
  });
});
