import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FormatError } from "./errors.ts";
import { hubFolder, type HubOptions } from "./hub.ts";
import { readText, type DownloadProgress } from "./model-folder.ts";
import { writeSafetensors } from "./safetensors.ts";
import { openWeights } from "./shards.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const weights = writeSafetensors([
  { name: "w", dtype: "F32", shape: [50_000], values: Float32Array.from({ length: 50_000 }, (_, i) => i) },
]);
const files: Record<string, Uint8Array> = {
  "config.json": new TextEncoder().encode("{}"),
  "model.safetensors": weights,
};

/** As much of the Hub's protocol as reading needs. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "", "http://hub");
  if (url.pathname.startsWith("/api/models/me/tiny/revision/")) {
    return sendJson(response, {
      _id: "1",
      id: "me/tiny",
      sha: COMMIT,
      private: false,
      gated: false,
      downloads: 0,
      likes: 0,
      lastModified: "2024-01-01",
    });
  }
  if (url.pathname === `/api/models/me/tiny/tree/${COMMIT}` || url.pathname === `/api/models/me/tiny/tree/${COMMIT}/`) {
    return sendJson(
      response,
      Object.entries(files).map(([path, bytes]) => ({
        type: "file",
        path,
        size: bytes.byteLength,
        oid: "1",
        ...(path.endsWith(".safetensors")
          ? {
              lfs: {
                oid: createHash("sha256").update(weights).digest("hex"),
                size: bytes.byteLength,
                pointerSize: 130,
              },
            }
          : {}),
      })),
    );
  }
  const bytes = files[url.pathname.replace(`/me/tiny/resolve/${COMMIT}/`, "")];
  if (bytes === undefined) return void response.writeHead(404, { "x-error-code": "RepoNotFound" }).end();
  const [, begin = "0", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const end = last === "" ? bytes.byteLength : Math.min(Number(last) + 1, bytes.byteLength);
  response.writeHead(request.headers.range === undefined ? 200 : 206, {
    etag: '"e"',
    "content-range": `bytes ${begin}-${end - 1}/${bytes.byteLength}`,
    "content-length": end - Number(begin),
  });
  response.end(bytes.subarray(Number(begin), end));
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

let server: Server;
let requests: { url: string; range: string; authorization: string }[] = [];
let handler: (request: IncomingMessage, response: ServerResponse) => void = answer;
let cacheDir = "";
let options: HubOptions = {};
beforeEach(async () => {
  requests = [];
  handler = answer;
  server = createServer((request, response) => {
    const { range = "", authorization = "" } = request.headers;
    requests.push({ url: request.url ?? "", range, authorization });
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cacheDir = await mkdtemp(join(tmpdir(), "kedge-hub-"));
  options = { cacheDir, hubUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(cacheDir, { recursive: true });
});

const snapshot = (): string => join(cacheDir, "models--me--tiny", "snapshots", COMMIT);

describe("a repository of the Hub", () => {
  it("is a folder whose files come into the cache when they are opened, and only then", async () => {
    const progress: DownloadProgress[] = [];
    const folder = await hubFolder("me/tiny", {
      ...options,
      onProgress: (step) => progress.push(step),
      token: "hf_secret",
    });
    expect(await folder.list?.()).toEqual(["config.json", "model.safetensors"]);
    expect(await folder.has("model.safetensors")).toBe(true);
    await expect(readdir(snapshot())).rejects.toThrow("ENOENT");
    const opened = await openWeights(folder);
    expect((await opened.readTensor("w")).values[49_999]).toBe(49_999);
    await opened.close();
    expect(await readFile(join(snapshot(), "model.safetensors"))).toEqual(Buffer.from(weights));
    expect(await readdir(snapshot())).toEqual(["model.safetensors"]);
    expect(progress.at(-1)).toEqual({
      file: "model.safetensors",
      bytesLoaded: weights.byteLength,
      bytesTotal: weights.byteLength,
    });
    expect(requests.every(({ authorization }) => authorization === "Bearer hf_secret")).toBe(true);
  });

  it("is not asked again for what is in the cache, and opens without a network", async () => {
    const folder = await hubFolder("me/tiny", options);
    await readText(folder, "config.json", 10);
    requests = [];
    const again = await hubFolder("me/tiny", { ...options, revision: COMMIT });
    expect(await readText(again, "config.json", 10)).toBe("{}");
    expect(requests).toEqual([]);
    handler = (_request, response) => response.writeHead(503).end();
    const offline = await hubFolder("me/tiny", options);
    expect(await readText(offline, "config.json", 10)).toBe("{}");
    expect(await offline.has("model.safetensors")).toBe(false);
  });

  it("goes on where a download stopped", async () => {
    const part = join(snapshot(), `model.safetensors.${weights.byteLength}.part`);
    await mkdir(snapshot(), { recursive: true });
    await writeFile(part, weights.subarray(0, 70_000));
    await openWeights(await hubFolder("me/tiny", options)).then((opened) => opened.close());
    expect(await readFile(join(snapshot(), "model.safetensors"))).toEqual(Buffer.from(weights));
    const ranges = requests.filter(({ url }) => url.includes("/resolve/")).map(({ range }) => range);
    expect(ranges.filter((range) => range !== "bytes=0-0")).toEqual([`bytes=70000-${weights.byteLength - 1}`]);
  });

  it("that drops the connection is asked for the rest", async () => {
    let drops = 2;
    handler = (request, response) => {
      const { range = "" } = request.headers;
      if (request.url?.endsWith(".safetensors") !== true || range === "bytes=0-0" || drops === 0)
        return answer(request, response);
      drops--;
      const [, begin = "0"] = /^bytes=(\d+)-/.exec(range) ?? [];
      response.writeHead(206, { "content-length": weights.byteLength - Number(begin) });
      response.write(weights.subarray(Number(begin), Number(begin) + 50_000), () =>
        setTimeout(() => response.destroy(), 50),
      );
    };
    await openWeights(await hubFolder("me/tiny", options)).then((opened) => opened.close());
    expect(drops).toBe(0);
    expect(await readFile(join(snapshot(), "model.safetensors"))).toEqual(Buffer.from(weights));
  });

  it("whose bytes are not those it promised leaves nothing in the cache", async () => {
    const part = join(snapshot(), `model.safetensors.${weights.byteLength}.part`);
    await mkdir(snapshot(), { recursive: true });
    await writeFile(part, new Uint8Array(70_000));
    const folder = await hubFolder("me/tiny", options);
    await expect(folder.open("model.safetensors")).rejects.toThrow("did not arrive as it was sent: its SHA-256 is not");
    expect(await readdir(snapshot())).toEqual([]);
    await openWeights(folder).then((opened) => opened.close());
  });

  it("stops when told to, and keeps what it has for next time", async () => {
    const controller = new AbortController();
    const folder = await hubFolder("me/tiny", {
      ...options,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error("enough")),
    });
    await expect(folder.open("model.safetensors")).rejects.toThrow("enough");
    expect((await readdir(snapshot())).filter((name) => !name.endsWith(".part"))).toEqual([]);
  });

  it("says what is wrong in one sentence", async () => {
    const folder = await hubFolder("me/tiny", options);
    await expect(folder.open("tokenizer.json")).rejects.toThrow(
      "me/tiny: there is no tokenizer.json; the folder has config.json, model.safetensors",
    );
    await expect(folder.open("../x")).rejects.toThrow("does not name a file inside this folder");
    await expect(hubFolder("me/other", options)).rejects.toThrow(
      "me/other: the Hub has no such repository or revision",
    );
    for (const name of ["../x", "a/b/c", "https://x", "..", ""])
      await expect(hubFolder(name, options)).rejects.toThrow(FormatError);
    await expect(hubFolder("me/tiny", { ...options, revision: "../../x" })).rejects.toThrow("is no revision");
    handler = (_request, response) => response.writeHead(403).end();
    await expect(hubFolder("me/tiny", options)).rejects.toThrow("me/tiny: the Hub answered 403: it wants a token");
    const nowhere = { ...options, cacheDir: join(cacheDir, "empty"), hubUrl: "http://127.0.0.1:9" };
    await expect(hubFolder("me/tiny", nowhere)).rejects.toThrow("me/tiny: the Hub cannot be reached");
  });
});
