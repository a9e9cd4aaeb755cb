// Files of a server in parts and in a page's storage: a storage in memory, and a server that counts what it is asked.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeStorage } from "../../tests/support/fake-storage.ts";
import { readText } from "../model-folder.ts";
import { removeStoredModel, storedModels } from "../stored-models.ts";
import { storedFolder, type StoredFolderOptions } from "./stored-folder.ts";

const PART_BYTES = 1 << 18;
/** A file of two parts and a bit, each byte of which tells its place. */
const weights = Buffer.alloc(2 * PART_BYTES + 1000);
for (let i = 0; i < weights.length; i += 4) weights.writeUInt32LE(i, i);
const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

let files: Record<string, Uint8Array>;
let asked: string[];
let etag: (path: string) => string | undefined;
let before: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
let server: Server;
let url: string;
let storage: FakeStorage;

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url!.slice(1);
  const bytes = files[path];
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  asked.push(`${request.method} ${path}${range ? ` ${range[1]}-${range[2]}` : ""}`);
  if (before?.(request, response)) return;
  if (bytes === undefined) return void response.writeHead(404).end();
  const begin = Number(range?.[1] ?? 0);
  const end = range?.[2] ? Math.min(bytes.byteLength, Number(range[2]) + 1) : bytes.byteLength;
  const tag = etag(path);
  response.writeHead(range ? 206 : 200, {
    "content-length": end - begin,
    ...(range ? { "content-range": `bytes ${begin}-${end - 1}/${bytes.byteLength}` } : {}),
    ...(tag === undefined ? {} : { etag: tag }),
  });
  response.end(request.method === "HEAD" ? undefined : bytes.subarray(begin, end));
}

beforeEach(async () => {
  files = { "config.json": Buffer.from("{}"), "model.safetensors": weights };
  asked = [];
  etag = () => '"1"';
  before = undefined;
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  storage = new FakeStorage();
  storage.install(`${url}/index.html`);
});
afterEach(() => {
  vi.unstubAllGlobals();
  server.closeAllConnections();
  server.close();
});

/** Reads the weights in small pieces, as a device does; gives what came, and what there is to tell. */
async function load(options: StoredFolderOptions = {}) {
  const begun = asked.length;
  const folder = await storedFolder(url, { ...options, partBytes: PART_BYTES });
  const config = await readText(folder, "config.json", 1000);
  const source = await folder.open("model.safetensors");
  const all = Buffer.alloc(source.byteLength);
  try {
    for (let begin = 0; begin < all.length; begin += 10_000) {
      const end = Math.min(all.length, begin + 10_000);
      all.set(await source.read(begin, end, options.signal), begin);
    }
  } finally {
    await source.close();
  }
  return { config, hash: sha(all), notes: folder.notes, asked: asked.slice(begun) };
}

const FIRST = [
  "GET config.json 0-65535",
  "GET model.safetensors 0-65535",
  `GET model.safetensors 0-${PART_BYTES - 1}`,
  `GET model.safetensors ${PART_BYTES}-${2 * PART_BYTES - 1}`,
  `GET model.safetensors ${2 * PART_BYTES}-${2 * PART_BYTES + 999}`,
];
const CHECKS = ["HEAD config.json", "HEAD model.safetensors"];

describe.each(["opfs", "cache"] as const)("a page with %s", (store) => {
  it("fetches few large ranges, and at the next load nothing but whether they are current", async () => {
    storage.writeMilliseconds = 20;
    const first = await load({ store });
    expect(storage.usage).toBeGreaterThan(weights.length);
    storage.writeMilliseconds = 0;
    expect(first).toEqual({ config: "{}", hash: sha(weights), notes: [], asked: expect.anything() as unknown });
    expect(first.asked.sort()).toEqual(FIRST.toSorted());
    expect(await load({ store })).toEqual({ config: "{}", hash: sha(weights), notes: [], asked: CHECKS });
    expect(storage.usage).toBeLessThan(weights.length + 2000);
  });

  it("fetches a file anew whose ETag is another one, and keeps no part of the old one", async () => {
    await load({ store });
    const changed = Buffer.from(weights);
    changed[5] = 255;
    files["model.safetensors"] = changed;
    etag = (path) => (path === "config.json" ? '"1"' : '"2"');
    const second = await load({ store });
    expect(second.hash).toBe(sha(changed));
    expect(second.asked.filter((one) => one.startsWith("GET model")).length).toBeGreaterThan(3);
    expect(storage.usage).toBeLessThan(weights.length + 2000);
    expect((await load({ store })).asked).toEqual(CHECKS);
  });

  it("fetches only the rest after an interruption", async () => {
    const abort = new AbortController();
    before = (request, response) => {
      if (!request.headers.range?.startsWith(`bytes=${2 * PART_BYTES}`)) return false;
      setTimeout(() => abort.abort(new Error("enough")), 300);
      response.writeHead(206, { "content-length": 1000 }).write("x"); // and no more
      return true;
    };
    await expect(load({ store, signal: abort.signal })).rejects.toThrow("enough");
    before = undefined;
    const second = await load({ store });
    expect(second.hash).toBe(sha(weights));
    expect(second.asked).toEqual([...CHECKS, FIRST[1], FIRST[4]]);
  });

  it("lists what is kept, and removes it", async () => {
    await load({ store, name: "me/tiny" });
    const [model, ...others] = await storedModels();
    expect(others).toEqual([]);
    expect(model).toMatchObject({ name: "me/tiny", url, store });
    expect(model!.byteLength).toBe(storage.usage);
    expect(Math.abs(Date.now() - model!.lastUsed.getTime())).toBeLessThan(60_000);
    expect(await removeStoredModel("me/other")).toBe(0);
    expect(await removeStoredModel("me/tiny")).toBe(model!.byteLength);
    expect([storage.usage, await storedModels()]).toEqual([0, []]);
    expect((await load({ store })).asked.sort()).toEqual(FIRST.toSorted());
  });
});

describe("a stored model", () => {
  it("is used, and that is said, where its server cannot be reached or is in trouble", async () => {
    await load();
    before = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    const offline = `${url}: the copy in this browser is used, which may be out of date: its server cannot be reached`;
    expect(await load()).toMatchObject({ hash: sha(weights), notes: [`${offline} (it answered 503)`] });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const { hash, notes } = await load();
    expect([hash, notes.length]).toEqual([sha(weights), 1]);
    expect(notes[0]).toContain(offline);
    const folder = await storedFolder(url, { partBytes: PART_BYTES });
    await folder.has("config.json");
    expect(await folder.has("tokenizer.json")).toBe(false);
    await expect(folder.open("tokenizer.json")).rejects.toThrow("as it is kept (its server: ");
  });

  it("of which a part is missing or cut off is fetched there, and offline the message says what is wrong", async () => {
    await load();
    const [directory] = [...(storage.root.get("kedge-models") as Map<string, Map<string, Uint8Array>>).values()];
    const part = [...directory!.keys()].find((name) => name.endsWith(".1"))!;
    directory!.set(part, directory!.get(part)!.slice(0, 12345));
    before = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    await expect(load()).rejects.toThrow(
      "model.safetensors: is kept only in part, and its server cannot be reached: it answered 503",
    );
    before = undefined;
    const { hash, asked: requests } = await load();
    expect([hash, requests]).toEqual([sha(weights), [...CHECKS, FIRST[1], FIRST[3]]]);
  });

  it("is told from a compressed or weakly tagged answer of the same file, and from another length", async () => {
    await load();
    etag = () => 'W/"1-gzip"';
    expect((await load()).asked).toEqual(CHECKS);
    files["model.safetensors"] = weights.subarray(0, PART_BYTES);
    expect((await load()).hash).toBe(sha(weights.subarray(0, PART_BYTES)));
  });

  it.each(["", "W/"])("that changes in the middle of a load is refused, ETag %s", async (weak) => {
    let tag = 0;
    etag = () => `${weak}"${tag}"`;
    before = ({ headers }) => {
      if (headers.range?.startsWith(`bytes=${PART_BYTES}`)) tag++;
      return false;
    };
    await expect(load()).rejects.toThrow(/changed on the server while it was read.*: load it again$/);
  });

  it("is not kept, and that is said, where nothing tells its versions apart", async () => {
    etag = () => undefined;
    const { hash, notes } = await load();
    expect(hash).toBe(sha(weights));
    expect(notes).toEqual([expect.stringContaining("gives neither ETag nor Last-Modified")]);
    expect(storage.usage).toBe(0);
  });

  it("cannot be removed while it is loaded", async () => {
    const folder = await storedFolder(url, { partBytes: PART_BYTES });
    const source = await folder.open("model.safetensors");
    await expect(removeStoredModel(url)).rejects.toThrow("is being loaded, here or in another tab");
    await source.close();
    expect(await removeStoredModel(".")).toBeGreaterThan(0);
  });

  it("is downloaded once by two tabs at once", async () => {
    const [a, b] = await Promise.all([load(), load()]);
    expect([a.hash, b.hash]).toEqual([sha(weights), sha(weights)]);
    const parts = asked.filter((one) => FIRST.slice(2).includes(one));
    expect([...new Set(parts)].sort()).toEqual(FIRST.slice(2).sort());
    // The second may ask for one part again, where it looked between the end of a fetch and the end of a write.
    expect(parts.length).toBeLessThanOrEqual(FIRST.length - 1);
    expect((await load()).asked).toEqual(CHECKS);
  });
});

const reason = (what: string): string =>
  `${url}: is not kept whole between page loads, because ${what}: remove a stored model (storedModels, removeStoredModel) or load with store: false`;

describe("a quota", () => {
  it("that is too small is said before anything large is written", async () => {
    storage.quota = 20e4;
    const { hash, notes } = await load();
    const sizes = "model.safetensors has 0.5 MB, and 0.2 MB of this site's storage are free";
    expect([hash, notes]).toEqual([sha(weights), [reason(sizes)]]);
    expect(storage.persistCalls).toBe(1);
    expect(storage.usage).toBeLessThan(1000);
  });

  it("that turns out too small is said, and the room is given back", async () => {
    storage.quota = 30e4; // one part
    storage.claimedQuota = 1e9;
    const { hash, notes } = await load();
    expect([hash, notes]).toEqual([
      sha(weights),
      [reason("this site's storage has no room for model.safetensors (0.5 MB)")],
    ]);
    expect(storage.usage).toBeLessThan(1000);
  });
});

describe("where nothing is kept", () => {
  it("large ranges are fetched all the same: with store false, and in Node", async () => {
    expect((await load({ store: false })).asked.sort()).toEqual(FIRST.toSorted());
    vi.unstubAllGlobals();
    expect((await load()).asked.sort()).toEqual(FIRST.toSorted());
    expect([storage.usage, await storedModels()]).toEqual([0, []]);
  });

  it("because the page has no store, a note says so; a store that was asked for is refused", async () => {
    storage.install(`${url}/`, { opfs: false, cache: false });
    expect((await load()).notes).toEqual([`${url}: is not kept between page loads: this page may not store files`]);
    await expect(load({ store: "opfs" })).rejects.toThrow('store is "opfs", but this page has no such store');
  });

  it("but the Cache API is taken where OPFS is missing, and locks need not be there", async () => {
    storage.install(`${url}/`, { opfs: false, locks: false });
    await load();
    expect([...storage.caches.keys()]).toHaveLength(1);
    expect((await load()).asked).toEqual(CHECKS);
  });
});
