/**
 * A browser for tests that needs nothing but npm: the headless Chromium of `@sparticuz/chromium` driven by
 * playwright-core, with WebGPU and WebGL on SwiftShader, and a small static server for the pages it loads.
 *
 * The libraries beyond glibc that Chromium wants (NSS, NSPR, expat), the software drivers and a font come from the same
 * package, so that a bare Debian with Node is enough.
 */

import { createReadStream, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import { pipeline } from "node:stream";
import { type Browser, chromium } from "playwright-core";
import { unpackedFolder } from "../../bench/software-gpu/unpacked.ts";

/** What the folder of the browser is made of, and the font settings it cannot run without. */
function browserFolder(): Promise<string> {
  return unpackedFolder("chromium", ["chromium", "swiftshader", "al2023", "fonts"], (folder, finalFolder) => {
    const fonts = [
      `<dir>${join(finalFolder, "fonts")}</dir>`,
      `<cachedir>${join(finalFolder, "font-cache")}</cachedir>`,
    ];
    const head = `<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">`;
    writeFileSync(join(folder, "fonts.conf"), `${head}\n<fontconfig>\n${fonts.join("\n")}\n</fontconfig>\n`);
  });
}

/**
 * Starts headless Chromium with WebGPU on SwiftShader; the caller closes it.
 *
 * @param extraArguments - More command line switches.
 * @throws Error on a machine that is not x86-64 Linux.
 */
export async function launchBrowser(extraArguments: readonly string[] = []): Promise<Browser> {
  const folder = await browserFolder();
  const libraries = [join(folder, "lib"), folder, process.env["LD_LIBRARY_PATH"] ?? ""].filter((path) => path !== "");
  const environment = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !/^VK_(ICD_FILENAMES|DRIVER_FILES)$/.test(entry[0]),
  );
  return chromium.launch({
    executablePath: join(folder, "chromium"),
    args: [
      "--no-sandbox",
      "--headless=shell",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--use-gl=angle",
      "--use-angle=swiftshader",
      "--enable-unsafe-swiftshader",
      "--ignore-gpu-blocklist",
      "--disable-dev-shm-usage",
      ...extraArguments,
    ],
    env: {
      ...Object.fromEntries(environment),
      LD_LIBRARY_PATH: libraries.join(":"),
      FONTCONFIG_FILE: join(folder, "fonts.conf"),
    },
  });
}

/** How `pageResult` opens its page. */
export interface PageOptions {
  /** Viewport in CSS pixels; 1280 x 720 where absent. */
  readonly width?: number;
  readonly height?: number;
  /** A PNG of the page is written here once the result is there. */
  readonly screenshot?: string;
}

/**
 * Opens a page and returns what its scripts leave in `globalThis.result` (anything truthy that JSON can hold).
 *
 * @throws Error the first uncaught error of the page, or playwright's timeout.
 */
export async function pageResult(browser: Browser, url: string, options: PageOptions = {}): Promise<unknown> {
  const page = await browser.newPage({ viewport: { width: options.width ?? 1280, height: options.height ?? 720 } });
  const failed = new Promise<never>((_, reject) => page.once("pageerror", reject));
  failed.catch(() => undefined); // it may come before anybody waits for it, or after the result
  try {
    await page.goto(url);
    const waited = page.waitForFunction("globalThis.result").then((handle) => handle.jsonValue());
    waited.catch(() => undefined);
    const result = await Promise.race([waited, failed]);
    if (options.screenshot !== undefined) await page.screenshot({ path: options.screenshot });
    return result;
  } finally {
    await page.close();
  }
}

const mediaTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".jsonl": "application/jsonl",
  ".map": "application/json",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".safetensors": "application/octet-stream",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".wgsl": "text/plain; charset=utf-8",
};

/** What a test serves besides files of a folder. */
export interface ServeOptions {
  /** Sends the two headers that give the page shared memory (`crossOriginIsolated`). Default false. */
  readonly isolated?: boolean;
  /** Text or bytes by path, such as `{ "/index.html": "<!doctype html>…" }`; they hide files of the folder. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

/** A running server. */
export interface PageServer {
  /** Where it listens, such as `http://127.0.0.1:40123/`. */
  readonly url: string;
  /** Every request so far, as "GET /path 200" (and " bytes=…" where a range was asked for). */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** The bytes that a Range header asks for, half-open; undefined for all of them, "unsatisfiable" beyond the end. */
export function requestedRange(
  header: string | undefined,
  byteLength: number,
): { begin: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const [, first = "", last = ""] = match;
  const begin = first === "" ? Math.max(0, byteLength - Number(last)) : Number(first);
  const end = first === "" || last === "" ? byteLength : Math.min(byteLength, Number(last) + 1);
  return begin < end ? { begin, end } : "unsatisfiable";
}

/**
 * Serves a folder on 127.0.0.1, with byte ranges, `HEAD`, ETags, CORS and the media types that modules and WebAssembly need.
 *
 * @param root - The folder; paths that lead out of it are answered 404.
 */
export async function servePage(root: string, options: ServeOptions = {}): Promise<PageServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    response.on("finish", () => {
      const range = request.headers.range === undefined ? "" : ` ${request.headers.range}`;
      requests.push(`${request.method} ${request.url} ${response.statusCode}${range}`);
    });
    answer(root, options, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error(`the server listens on ${address}, not a port`);
  return {
    url: `http://127.0.0.1:${address.port}/`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(root: string, options: ServeOptions, request: IncomingMessage, response: ServerResponse): void {
  const refuse = (status: number): void => {
    response.writeHead(status, { "content-type": "text/plain" }).end(`${status} ${request.method} ${request.url}\n`);
  };
  response.setHeader("access-control-allow-origin", "*");
  response.setHeader("access-control-expose-headers", "content-length, content-range, etag");
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405);
  let path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
  if (path.endsWith("/")) path += "index.html";
  const inMemory = options.files?.[path];
  const file = join(root, normalize(path));
  const found = inMemory === undefined ? statSync(file, { throwIfNoEntry: false }) : undefined;
  if (inMemory === undefined && found?.isFile() !== true) return refuse(404);
  const bytes = inMemory === undefined ? undefined : Buffer.from(inMemory);
  const byteLength = bytes?.byteLength ?? found?.size ?? 0;

  response.setHeader("content-type", mediaTypes[extname(path)] ?? "application/octet-stream");
  response.setHeader("accept-ranges", "bytes");
  response.setHeader("etag", `"${byteLength.toString(16)}-${(found?.mtimeMs ?? 0).toString(16)}"`);
  response.setHeader("cache-control", "no-cache");
  if (options.isolated === true) {
    response.setHeader("cross-origin-opener-policy", "same-origin");
    response.setHeader("cross-origin-embedder-policy", "require-corp");
    response.setHeader("cross-origin-resource-policy", "same-origin");
  }
  const range = requestedRange(request.headers.range, byteLength);
  if (range === "unsatisfiable") {
    response.setHeader("content-range", `bytes */${byteLength}`);
    return refuse(416);
  }
  const { begin, end } = range ?? { begin: 0, end: byteLength };
  if (range !== undefined) response.setHeader("content-range", `bytes ${begin}-${end - 1}/${byteLength}`);
  response.setHeader("content-length", end - begin);
  response.writeHead(range === undefined ? 200 : 206);
  if (request.method === "HEAD" || begin === end) response.end();
  else if (bytes !== undefined) response.end(bytes.subarray(begin, end));
  else pipeline(createReadStream(file, { start: begin, end: end - 1 }), response, () => undefined);
}
