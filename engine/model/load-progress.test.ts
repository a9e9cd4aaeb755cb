// One fraction over all phases: by hand, and of a model that comes from a server in parts.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { tinyFiles } from "../../tests/support/tiny-model.ts";
import { loadModel } from "../index.ts";
import { progressReporter, type LoadProgress } from "./load-progress.ts";

type Step = [phase: LoadProgress["phase"], done: number, of: number, detail: string];

/** The fractions after these steps, in hundredths. */
function fractionsOf(steps: readonly Step[]): number[] {
  const fractions: number[] = [];
  const report = progressReporter(({ fraction }) => fractions.push(Math.round(fraction * 1000) / 10));
  for (const step of steps) report(...step);
  return fractions;
}

test("the fraction is that of the weights where nothing is downloaded, and is 1 once", () => {
  const steps: Step[] = [
    ["files", 0, 2, ""],
    ["files", 2, 2, ""],
    ["weights", 50, 100, "a"],
    ["weights", 100, 100, "b"],
    ["kernels", 1, 2, ""],
    ["kernels", 2, 2, ""],
    ["kernels", 2, 2, ""],
  ];
  expect(fractionsOf(steps)).toEqual([0, 2, 46, 90, 95, 100]);
  const tuned: Step[] = [...steps.slice(0, 4), ["tuning", 1, 1, ""], ["kernels", 1, 2, ""], ["kernels", 2, 2, ""]];
  expect(fractionsOf(tuned)).toEqual([0, 2, 46, 90, 95, 97.5, 100]);
});

const shard = (i: number, done: number): Step => ["download", done, 100, `model-0000${i}-of-00002.safetensors`];

test("a download counts for most of it, all shards together, and the fraction never falls", () => {
  const steps: Step[] = [
    ["files", 2, 2, ""],
    ["download", 10, 10, "tokenizer.json"],
    shard(1, 100),
    shard(2, 0),
    ["weights", 50, 200, "a"],
    shard(2, 100),
    ["weights", 10, 200, "of another order"],
    ["weights", 200, 200, "z"],
  ];
  // 2 + 88 (0.7 downloaded + 0.3 placed)
  expect(fractionsOf(steps)).toEqual([2, 2, 32.8, 32.8, 39.4, 70.2, 70.2, 90]);
});

test("a load from a server tells of its download and ends at 1", async () => {
  const files = new Map<string, Uint8Array>();
  for (const [name, blob] of tinyFiles({ vocab_size: 3000 })) files.set(name, new Uint8Array(await blob.arrayBuffer()));
  const ranges: string[] = [];
  const server = createServer((request, response) => {
    const bytes = files.get(request.url!.slice(1));
    if (!bytes) return void response.writeHead(404).end();
    const [, begin = "0", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const end = Math.min(bytes.byteLength, Number(last) + 1);
    if (request.url!.endsWith(".safetensors")) ranges.push(`${begin}-${end}`);
    const range = `bytes ${begin}-${end - 1}/${bytes.byteLength}`;
    response.writeHead(206, { "content-range": range, "content-length": end - Number(begin) });
    response.end(bytes.subarray(Number(begin), end));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const steps: LoadProgress[] = [];
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const model = await loadModel(url, { device: "reference", onProgress: (step) => steps.push(step) });
    expect(model.notes).toEqual([]);
    await model.dispose();
    const { byteLength } = files.get("model.safetensors")!;
    expect(ranges).toEqual(["0-65536", `0-${byteLength}`]);
    const fractions = steps.map(({ fraction }) => fraction);
    expect(fractions.toSorted((a, b) => a - b)).toEqual(fractions);
    expect(fractions.at(-1)).toBe(1);
    const downloads = steps.filter(({ phase }) => phase === "download");
    expect(downloads.at(-1)).toMatchObject({ done: byteLength, of: byteLength, detail: "model.safetensors" });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
