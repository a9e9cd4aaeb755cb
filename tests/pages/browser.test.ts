import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileString } from "assemblyscript/asc";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, pageResult, type PageServer, requestedRange, servePage } from "../support/browser.ts";

const html = (body: string): string =>
  `<!doctype html><meta charset="utf-8"><title>kedge</title><link rel="icon" href="data:,"><body>${body}</body>`;

/** Doubles 256 numbers on the GPU and adds them up. */
const gpuScript = /* js */ `
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();
  const code = \`@group(0) @binding(0) var<storage, read_write> x: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { x[id.x] = 2.0 * x[id.x]; }\`;
  const x = device.createBuffer({ size: 1024, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
  const out = device.createBuffer({ size: 1024, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(x, 0, Float32Array.from({ length: 256 }, (_, i) => i));
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module: device.createShaderModule({ code }) } });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: x } }] }));
  pass.dispatchWorkgroups(4);
  pass.end();
  encoder.copyBufferToBuffer(x, 0, out, 0, 1024);
  device.queue.submit([encoder.finish()]);
  await out.mapAsync(GPUMapMode.READ);
  const sum = new Float32Array(out.getMappedRange()).reduce((a, b) => a + b, 0);
  const result = { isolated: crossOriginIsolated, architecture: adapter.info.architecture, sum };
  document.body.style.background = "#0a5";
  document.body.append(JSON.stringify(result));
  globalThis.result = result;`;

/** Two workers and the page add to one counter in shared memory, all through the same WebAssembly module. */
const threadScript = /* js */ `
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const module = await WebAssembly.compileStreaming(fetch("/counter.wasm"));
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  exports.bump(10);
  const workers = [1, 2].map(() => new Worker("/worker.js", { type: "module" }));
  await Promise.all(workers.map((worker) => new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ module, memory });
  })));
  globalThis.result = { counter: new Int32Array(memory.buffer)[0], workers: workers.length };`;

const workerScript = /* js */ `
  onmessage = async ({ data }) => {
    const { exports } = await WebAssembly.instantiate(data.module, { env: { memory: data.memory } });
    exports.bump(1000);
    postMessage("done");
  };`;

describe("headless Chromium", () => {
  let browser: Browser;
  let server: PageServer;
  beforeAll(async () => {
    const source = `export function bump(times: i32): void { for (let i = 0; i < times; i++) atomic.add<i32>(0, 1); }`;
    const options = { importMemory: true, sharedMemory: true, maximumMemory: 1, runtime: "stub", enable: ["threads"] };
    const { binary, stderr } = await compileString(source, options);
    if (binary === null) throw new Error(`the counter did not compile: ${stderr}`);
    const files = {
      "/gpu.html": html(`<script type="module">${gpuScript}</script>`),
      "/threads.html": html(`<script type="module">${threadScript}</script>`),
      "/worker.js": workerScript,
      "/counter.wasm": binary,
    };
    server = await servePage(".", { isolated: true, files });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  it("runs a compute shader on SwiftShader in an isolated page, and paints", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kedge-page-"));
    const path = process.env["KEDGE_SCREENSHOT"] ?? join(folder, "page.png");
    expect(await pageResult(browser, `${server.url}gpu.html`, { screenshot: path, width: 640, height: 120 })).toEqual({
      isolated: true,
      architecture: "swiftshader",
      sum: 255 * 256,
    });
    const png = readFileSync(path);
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([640, 120]);
    rmSync(folder, { recursive: true });
  });

  it("runs WebAssembly threads over shared memory", async () => {
    expect(await pageResult(browser, `${server.url}threads.html`)).toEqual({ counter: 2010, workers: 2 });
    expect(server.requests).toContain("GET /counter.wasm 200");
  });

  it("is not isolated without the headers", async () => {
    const plain = await servePage(".", {
      files: { "/index.html": html(`<script>result = [crossOriginIsolated]</script>`) },
    });
    expect(await pageResult(browser, plain.url)).toEqual([false]);
    await plain.close();
  });

  it("reports an uncaught error of a page", async () => {
    const broken = await servePage(".", {
      files: { "/index.html": html(`<script>throw new Error("planted")</script>`) },
    });
    await expect(pageResult(browser, broken.url)).rejects.toThrow("planted");
    await broken.close();
  });
});

describe("servePage", () => {
  let folder: string;
  let server: PageServer;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "kedge-serve-"));
    writeFileSync(
      join(folder, "model.safetensors"),
      Uint8Array.from({ length: 100 }, (_, i) => i),
    );
    server = await servePage(folder, { files: { "/kernel.wasm": Uint8Array.of(0, 97, 115, 109) } });
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  it("answers ranges of a file with exactly those bytes", async () => {
    const response = await fetch(`${server.url}model.safetensors`, { headers: { range: "bytes=8-15" } });
    expect(response.status).toBe(206);
    expect(response.headers.get("content-range")).toBe("bytes 8-15/100");
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
  });

  it("answers a range beyond the end with 416 and the length", async () => {
    const response = await fetch(`${server.url}model.safetensors`, { headers: { range: "bytes=100-" } });
    expect([response.status, response.headers.get("content-range")]).toEqual([416, "bytes */100"]);
  });

  it("gives the length to HEAD and the media type to WebAssembly", async () => {
    const head = await fetch(`${server.url}model.safetensors`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "100"]);
    const wasm = await fetch(`${server.url}kernel.wasm`);
    expect([wasm.headers.get("content-type"), (await wasm.arrayBuffer()).byteLength]).toEqual(["application/wasm", 4]);
  });

  it("answers 404 to what is missing, a folder, or outside the folder", async () => {
    for (const path of ["missing.js", ".", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2f..%2fetc%2fpasswd"]) {
      expect((await fetch(`${server.url}${path}`)).status, path).toBe(404);
    }
    expect((await fetch(`${server.url}model.safetensors`, { method: "POST" })).status).toBe(405);
  });

  it.each([
    [undefined, undefined],
    ["bytes=-", undefined],
    ["bytes=0-", { begin: 0, end: 10 }],
    ["bytes=0-0", { begin: 0, end: 1 }],
    ["bytes=4-99", { begin: 4, end: 10 }],
    ["bytes=-3", { begin: 7, end: 10 }],
    ["bytes=-30", { begin: 0, end: 10 }],
    ["bytes=10-", "unsatisfiable"],
    ["bytes=5-2", "unsatisfiable"],
  ])("reads the range header %s of 10 bytes", (header, expected) => {
    expect(requestedRange(header, 10)).toEqual(expected);
  });
});
