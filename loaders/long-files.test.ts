// Long files and texts are worked on in turns: an abort ends them, and between two pauses there is a bounded piece of work.

import { describe, expect, it } from "vitest";
import { loadTokenizer } from "./load-tokenizer.ts";
import { filesFolder } from "./model-folder.ts";
import { parseHeader } from "./safetensors-header.ts";
import { openWeights } from "./shards.ts";
import { TensorTable } from "./tensor-table.ts";
import { readBpe } from "./tokenizer/bpe.ts";
import { readUnigram } from "./tokenizer/unigram.ts";
import type { Work } from "./work.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const count = 60_000;
const numbers = Array.from({ length: count }, (_, i) => i);

function pausesOf(work: Work<unknown>): number {
  for (let pauses = 0; ; pauses++) if (work.next().done) return pauses;
}

/** Runs until it is aborted at the first turn of the event loop. */
async function abortAtOnce(run: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const abort = new AbortController();
  const running = run(abort.signal);
  setImmediate(() => abort.abort(new Error("enough")));
  await expect(running).rejects.toThrow("enough");
}

// Last first, so that they have to be sorted.
const header = `{${numbers.map((i) => `"t${i}":{"dtype":"F32","shape":[1],"data_offsets":[${4 * (count - 1 - i)},${4 * (count - i)}]}`).join()}}`;
const vocabulary = (length: number) => Object.fromEntries(Array.from({ length }, (_, i) => [`token${i}`, i]));

describe("a header of many tensors", () => {
  it("is read with pauses, in the order of the file's names", () => {
    const work = parseHeader("m", header, 8 + header.length, 8 + header.length + 4 * count, new TensorTable());
    expect(pausesOf(work)).toBeGreaterThan((4 * count) / 2048 - 8);
  });

  it("can be aborted", async () => {
    const bytes = new Uint8Array(8 + header.length + 4 * count);
    new DataView(bytes.buffer).setUint32(0, header.length, true);
    bytes.set(bytesOf(header), 8);
    const folder = filesFolder(new Map([["model.safetensors", bytes]]));
    await abortAtOnce((signal) => openWeights(folder, signal));
    const { tensors } = await openWeights(folder);
    expect([tensors.size, [...tensors.keys()][1], tensors.get("t1")!.byteLength]).toEqual([count, "t1", 4]);
  });
});

describe("a vocabulary of many tokens", () => {
  it("is read with pauses", () => {
    const vocab = vocabulary(count);
    const merges = numbers.map(() => "token1 0");
    expect(pausesOf(readBpe({ vocab: { ...vocab, 0: count }, merges: [] }))).toBeGreaterThan(count / 4096 - 1);
    expect(pausesOf(readBpe({ vocab: { ...vocab, 0: count }, merges }))).toBeGreaterThan((2 * count) / 4096 - 2);
    const scored = numbers.map((i) => [`token${i}`, -i]);
    expect(pausesOf(readUnigram({ vocab: scored, unk_id: 0 }))).toBeGreaterThan((2 * count) / 4096 - 2);
  });

  it("can be aborted, and has its tokens", async () => {
    const vocab = vocabulary(150_000);
    const json = JSON.stringify({ model: { type: "WordLevel", unk_token: "token0", vocab } });
    expect(json.length).toBeGreaterThan(2_500_000);
    const folder = filesFolder(new Map([["tokenizer.json", bytesOf(json)]]));
    await abortAtOnce((signal) => loadTokenizer(folder, signal));
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.vocabSize).toBe(150_000);
    expect([tokenizer.tokenToId("token149999"), tokenizer.idToToken(77), tokenizer.encode("token5")]).toEqual([
      149_999,
      "token77",
      [5],
    ]);
  });
});

it("a long word of a byte-level tokenizer is cut in turns, into the same tokens", async () => {
  const vocab = { a: 0, b: 1, ab: 2, abab: 3, "\u0120": 4, "\u00c3": 5, "\u00a4": 6 };
  const json = {
    model: { type: "BPE", vocab, merges: ["a b", "ab ab"] },
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
  };
  const tokenizer = await loadTokenizer(filesFolder(new Map([["tokenizer.json", bytesOf(JSON.stringify(json))]])));
  const text = `${"ab".repeat(30_000)}\u00e4`;
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  expect(await tokenizer.encodeInTurns(text)).toEqual(tokenizer.encode(text));
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
  await abortAtOnce((signal) => tokenizer.encodeInTurns(text.repeat(4), { signal }));
});
