// Models that a page keeps, in headless Chromium with its own OPFS, Cache API and Web Locks: what is asked of the server at the first
// load and at later ones, by the page's own origin and by a stand-in for the Hub on another.

import { bufferSource, openSafetensors, writeSafetensors, type TensorToWrite } from "kedge/loaders";
import { afterAll, beforeAll, expect, test } from "vitest";
import { servePage, type PageServer } from "../support/browser.ts";
import { isFullExtent } from "../support/extent.ts";
import { TINY, tinyFiles } from "../support/tiny-model.ts";
import { openScriptPage, type ScriptPage } from "../support/webgl-page.ts";

const SCRIPT = `
  import { loadModel, removeStoredModel, storedModels } from "/engine/index.ts";
  import { findFolder } from "/loaders/index.ts";
  Object.assign(globalThis, { removeStoredModel, storedModels });
  globalThis.load = async (source, options = {}, hubUrl) => {
    const fractions = [];
    const { folder } = hubUrl ? await findFolder(source, { hubUrl }) : { folder: new URL(source, document.baseURI) };
    const onProgress = ({ stage, fraction }) => (fractions.push(fraction), globalThis.onStage?.(stage));
    const model = await loadModel(folder, { device: "wasm", onProgress, ...options });
    const tokens = [];
    for await (const piece of model.generate([1, 2, 3], { maxTokens: 3 })) tokens.push(...piece.tokens);
    const { notes } = model;
    await model.dispose();
    return { tokens: tokens.join(), notes, fractions };
  };
  globalThis.listed = async () => (await storedModels()).map(({ lastUsed, ...rest }) => ({ ...rest, age: Date.now() - lastUsed }));`;

const CHANGES = { vocab_size: 500, num_hidden_layers: 1 };

interface Loaded {
  readonly tokens: string;
  readonly notes: readonly string[];
  readonly fractions: readonly number[];
}

/** Files by path; the server gives another ETag when a length changes. */
const files: Record<string, Uint8Array> = {};
let page: ScriptPage;
let hub: PageServer;
let byteLength: number;

beforeAll(async () => {
  files["/tiny/config.json"] = new TextEncoder().encode(JSON.stringify({ ...TINY, ...CHANGES, vocab_size: 50_000 }));
  files["/tiny/model.safetensors"] = await largeWeights();
  byteLength = files["/tiny/model.safetensors"]!.byteLength;
  const onHub = Object.entries(files).map(([path, bytes]) => [path.replace("/tiny", "/me/tiny/resolve/main"), bytes]);
  hub = await servePage(".cache", { files: Object.fromEntries(onHub) as typeof files });
  page = await openScriptPage(SCRIPT, files);
}, 60_000);
afterAll(async () => {
  await page?.close();
  await hub?.close();
});

/** What a load gives, and the requests for its weights. */
async function load(argumentsText: string, server: { readonly requests: readonly string[] } = page) {
  const begun = server.requests.length;
  const loaded = await page.run<Loaded>(`load(${argumentsText})`);
  const requests = server.requests.slice(begun).filter((one) => one.includes(".safetensors "));
  return { ...loaded, requests, fetched: requests.filter((one) => one.startsWith("GET") && one.includes(" 206 ")) };
}

test("the first load takes few large ranges, and after the page is opened again no weights are asked for", async () => {
  const first = await load(`"tiny/"`);
  expect(first.notes).toEqual([]);
  expect(first.fetched).toHaveLength(3); // the opening block and two parts
  expect(first.fractions.toSorted((a, b) => a - b)).toEqual(first.fractions);
  expect(first.fractions[0]).toBeGreaterThanOrEqual(0);
  expect(first.fractions.at(-1)).toBe(1);
  expect(first.fractions.filter((fraction) => fraction > 0.1 && fraction < 0.9).length).toBeGreaterThan(10);

  await page.page.reload();
  await page.page.waitForFunction("globalThis.isReady");
  const second = await load(`"tiny/"`);
  expect(second.requests).toEqual(["HEAD /tiny/model.safetensors 200"]);
  expect([second.tokens, second.notes]).toEqual([first.tokens, []]);
  const url = `${page.url}tiny`;
  expect(await page.run("listed()")).toEqual([
    {
      name: url,
      url,
      byteLength: expect.closeTo(byteLength, -4) as number,
      store: "opfs",
      age: expect.any(Number) as number,
    },
  ]);
}, 60_000);

test("a copy is used where the server is out of reach, and a note says so", async () => {
  await page.page.route("**/tiny/**", (route) => route.abort());
  const { notes, requests } = await load(`"tiny/"`);
  expect(requests).toEqual([]);
  expect(notes).toEqual([expect.stringContaining("the copy in this browser is used, which may be out of date")]);
  await page.page.unroute("**/tiny/**");
}, 60_000);

test("a file that is another one now is fetched anew, and removal gives the room back", async () => {
  const before = files["/tiny/model.safetensors"]!;
  files["/tiny/model.safetensors"] = withLongerHeader(before);
  const { fetched, notes } = await load(`"tiny/"`);
  expect(fetched.length).toBeGreaterThanOrEqual(3);
  expect(notes).toEqual([]);
  const [model] = await page.run<{ byteLength: number }[]>("listed()");
  expect(model!.byteLength).toBeLessThan(byteLength + 10_000);
  expect(await page.run(`removeStoredModel("tiny")`)).toBe(model!.byteLength);
  expect(await page.run("listed()")).toEqual([]);
  files["/tiny/model.safetensors"] = before;
}, 60_000);

test("an aborted load goes on where it was", async () => {
  for (const store of isFullExtent ? ["opfs", "cache"] : ["cache"]) {
    await page.page.route("**/tiny/model.safetensors", (route) => {
      const isLast = route.request().headers()["range"]?.startsWith("bytes=16777216-") === true;
      if (isLast) setTimeout(() => void page.run(`abort.abort(new Error("enough"))`), 1500);
      else void route.continue();
    });
    await page.run("globalThis.abort = new AbortController(), 1");
    await expect(page.run(`load("tiny/", { store: "${store}", signal: abort.signal })`)).rejects.toThrow("enough");
    await page.page.unroute("**/tiny/model.safetensors");
    const { fetched, notes } = await load(`"tiny/", { store: "${store}" }`);
    expect(notes).toEqual([]);
    const parts = fetched.filter((one) => !one.endsWith("bytes=0-65535"));
    expect(parts, store).toEqual([expect.stringContaining("bytes=16777216-")]);
    expect((await load(`"tiny/", { store: "${store}" }`)).fetched).toEqual([]);
    expect(await page.run("listed()")).toMatchObject([{ store }]);
    await page.run(`removeStoredModel("tiny/")`);
  }
}, 120_000);

test("two tabs at once download a model once", async () => {
  const popup = page.page.waitForEvent("popup");
  await page.run("void open(location.href)");
  const other = await popup;
  await other.waitForFunction("globalThis.isReady");
  const begun = page.requests.length;
  const loads = [page.run<Loaded>(`load("tiny/")`), other.evaluate<Loaded>(`load("tiny/")`)];
  const [one, two] = await Promise.all(loads);
  expect(two!.tokens).toBe(one!.tokens);
  const parts = page.requests.slice(begun).filter((request) => / bytes=(?!0-65535)/.test(request));
  expect(parts).toHaveLength(2);
  await other.close();
  await page.run(`removeStoredModel("tiny")`);
}, 60_000);

test("where the quota is too small nothing is kept, and a note says so in a sentence", async () => {
  await page.run(
    `globalThis.estimate = navigator.storage.estimate, navigator.storage.estimate = async () => ({ quota: 1e7, usage: 1e6 }), 1`,
  );
  const { notes } = await load(`"tiny/"`);
  expect(notes).toEqual([
    `${page.url}tiny: is not kept whole between page loads, because model.safetensors has 19.3 MB, and 9.0 MB of this site's storage are free: remove a stored model (storedModels, removeStoredModel) or load with store: false`,
  ]);
  await page.run(`navigator.storage.estimate = estimate, removeStoredModel("tiny")`);
  const { fetched } = await load(`"tiny/", { store: false }`);
  expect(fetched).toHaveLength(3);
  expect(await page.run("listed()")).toEqual([]);
}, 60_000);

test("a name on the Hub is loaded from its server's other origin, kept, and removed by its name", async () => {
  const argumentsText = `"me/tiny", {}, "${hub.url}"`;
  expect((await load(argumentsText, hub)).fetched).toHaveLength(3);
  const { requests, notes } = await load(argumentsText, hub);
  expect([requests, notes]).toEqual([["HEAD /me/tiny/resolve/main/model.safetensors 200"], []]);
  expect(await page.run("listed()")).toMatchObject([{ name: "me/tiny", url: `${hub.url}me/tiny/resolve/main` }]);
  expect(await page.run(`removeStoredModel("me/tiny")`)).toBeGreaterThan(byteLength);
}, 60_000);

/** The weights of a tiny model with 100 times its tokens, 19.3 MB: a part of 16 MiB and a smaller one. */
async function largeWeights(): Promise<Uint8Array> {
  const small = tinyFiles(CHANGES).get("model.safetensors")!;
  const file = await openSafetensors(bufferSource(await small.arrayBuffer(), "small"));
  const tensors: TensorToWrite[] = [];
  for (const [name, { dtype, shape }] of file.tensors) {
    const { values } = await file.readTensor(name);
    const isLarge = shape[0] === CHANGES.vocab_size;
    const repeated = new Float32Array(values.length * (isLarge ? 100 : 1));
    for (let at = 0; at < repeated.length; at += values.length) repeated.set(values as Float32Array, at);
    tensors.push({ name, dtype, shape: isLarge ? [shape[0]! * 100, ...shape.slice(1)] : shape, values: repeated });
  }
  return writeSafetensors(tensors);
}

/** The same tensors in a file that is longer by eight blanks of its header. */
function withLongerHeader(file: Uint8Array): Uint8Array {
  const length = new DataView(file.buffer, file.byteOffset).getUint32(0, true);
  const longer = new Uint8Array(file.byteLength + 8).fill(0x20);
  longer.set(file.subarray(0, 8 + length));
  longer.set(file.subarray(8 + length), 16 + length);
  new DataView(longer.buffer).setUint32(0, length + 8, true);
  return longer;
}
