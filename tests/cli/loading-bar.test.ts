// The bar of a load on a terminal: one number from the first byte to the last kernel, of a model that a slow server sends.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { kedge } from "../support/command.ts";

test("the bar rises once from the download to the end", async () => {
  const server = createServer((request, response) => {
    let bytes: Buffer;
    try {
      bytes = readFileSync(`models/kedge-js-5m${request.url}`);
    } catch {
      return void response.writeHead(404).end();
    }
    const [, begin = "0", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const wanted = bytes.subarray(Number(begin), Number(last) + 1);
    const range = `bytes ${begin}-${Number(begin) + wanted.length - 1}/${bytes.length}`;
    response.writeHead(206, { "content-range": range, "content-length": wanted.length });
    if (wanted.length < 1e6) return void response.end(wanted);
    for (let i = 0; i < 5; i++) setTimeout(() => response.write(wanted.subarray(i * 1e6, (i + 1) * 1e6)), 300 + i * 50);
    setTimeout(() => response.end(wanted.subarray(5e6)), 700);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const args = ["run", url, "function f(", "--device", "wasm", "--max-tokens", "2"];
    const { code, stderr } = await kedge(args, { isTerminal: true, env: { NO_COLOR: "1" } });
    expect(code).toBe(0);
    const percentages = [...stderr.matchAll(/(\d+)% /g)].map((match) => Number(match[1]));
    expect(percentages.toSorted((a, b) => a - b)).toEqual(percentages);
    expect(percentages[0]).toBeLessThan(40);
    expect(new Set(percentages).size).toBeGreaterThan(3);
    expect(stderr).toMatch(/% model\.safetensors, [\d.]+ MB of 9\.38 MB/);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
