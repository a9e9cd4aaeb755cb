// Servers as they are met: what they compress, refuse, leave unsaid or say wrongly. The result is right or one clear sentence.

import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { serveLocally, type Answer } from "../tests/support/local-server.ts";
import { httpSource } from "./http-source.ts";
import { httpFolder, readJson, readText } from "./model-folder.ts";
import { openWeights } from "./shards.ts";

const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31 + (i >> 9)) & 255);
const json = JSON.stringify({ text: "x".repeat(100), list: [1, 2, 3] });
/** Beyond the block that opening reads. */
const FAR = 150_000;

async function serve(answer: Answer) {
  const requests: IncomingMessage[] = [];
  const address = await serveLocally((request, response, count) => {
    requests.push(request);
    response.on("error", () => undefined);
    answer(request, response, count);
  });
  return { url: `${address}/model`, requests };
}

function rangeOf(request: IncomingMessage, length = bytes.byteLength): [begin: number, end: number] {
  const [, begin = "0", last = length - 1] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  return [Number(begin), Math.min(Number(last) + 1, length)];
}

/** An ordinary answer to a range, with other headers. */
function part(
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, string | undefined> = {},
): void {
  const [begin, end] = rangeOf(request);
  const all = {
    "content-range": `bytes ${begin}-${end - 1}/${bytes.byteLength}`,
    "content-length": `${end - begin}`,
    ...headers,
  };
  response.writeHead(206, Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
  response.end(request.method === "HEAD" ? undefined : bytes.subarray(begin, end));
}

const equal = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** Sends without end, and counts what went out. */
function flood(response: ServerResponse, headers: Record<string, string>): () => number {
  let sent = 0;
  response.writeHead(200, headers);
  const block = Buffer.alloc(64 * 1024, 0x20);
  const more = () => {
    while (!response.destroyed && sent < 2 ** 28) {
      sent += block.byteLength;
      if (!response.write(block)) return void response.once("drain", more);
    }
  };
  more();
  return () => sent;
}

describe("a file that is longer than it may be", () => {
  it.each([
    [
      "whose length is told",
      { "content-length": `${1.5e9}` },
      "is 1500000000 bytes long; at most 1000000 were expected",
    ],
    ["whose length is not", {}, "is longer than 1000000 bytes, the most that were expected"],
  ])("and %s is refused before it has come", async (_, headers, message) => {
    let sent: (() => number) | undefined;
    const { url } = await serve((_request, response) => (sent = flood(response, headers)));
    await expect(readText(httpFolder(url), "config.json", 1_000_000)).rejects.toThrow(message);
    expect(sent!()).toBeLessThan(20_000_000);
  });

  it("and was only asked for is not received", async () => {
    let sent: (() => number) | undefined;
    const { url } = await serve((_request, response) => (sent = flood(response, {})));
    expect(await httpFolder(url).has("model.safetensors")).toBe(true);
    expect(sent!()).toBeLessThan(20_000_000);
  });

  it("of which the server would send parts is refused by the first answer", async () => {
    const { url, requests } = await serve((request, response) =>
      part(request, response, { "content-range": "bytes 0-65535/1500000000" }),
    );
    const folder = httpFolder(url);
    expect(await folder.has("config.json")).toBe(true);
    await expect(readText(folder, "config.json", 1_000_000)).rejects.toThrow(
      "is 1500000000 bytes long; at most 1000000",
    );
    expect(requests.length).toBe(1);
  });
});

const forbidAll: Answer = (_request, response) => response.writeHead(403).end("<Error/>");

describe("403", () => {
  it("means absent for a file that may be, and is said of one that must be there", async () => {
    const { url } = await serve(forbidAll);
    const folder = httpFolder(url);
    expect(await folder.has("generation_config.json")).toBe(false);
    const refusal =
      "the server answered 403: the file is not there, or it wants a login or a token with access to this file";
    await expect(readJson(folder, "config.json", 1000)).rejects.toThrow(`${url}/config.json: ${refusal}`);
    await expect(openWeights(folder)).rejects.toThrow(`${url}/model.safetensors: ${refusal}`);
  });

  it("of a shard is said, too, and 401 always is", async () => {
    const index = JSON.stringify({ weight_map: { w: "model-1.safetensors" } });
    const { url } = await serve((request, response, count) =>
      request.url!.endsWith(".index.json") ? response.end(index) : forbidAll(request, response, count),
    );
    await expect(openWeights(httpFolder(url))).rejects.toThrow(/model-1.safetensors: the server answered 403/);
    const closed = await serve((_request, response) => response.writeHead(401).end());
    await expect(httpFolder(closed.url).has("config.json")).rejects.toThrow(
      "the server answered 401: it wants a login",
    );
  });
});

describe("compressed files", () => {
  it.each<[what: string, answer: Answer]>([
    ["whole", (_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(json))],
    [
      "as a part that is whole",
      (_request, response) => {
        const packed = gzipSync(json);
        const range = `bytes 0-${packed.length - 1}/${packed.length}`;
        response.writeHead(206, { "content-encoding": "gzip", "content-range": range }).end(packed);
      },
    ],
    [
      "in parts, unless asked for whole",
      (request, response) => {
        const packed = gzipSync(json);
        if (request.headers.range === undefined) {
          response.writeHead(200, { "content-encoding": "gzip", "content-length": packed.length }).end(packed);
        } else {
          const headers = { "content-encoding": "gzip", "content-range": `bytes 0-19/${packed.length}` };
          response.writeHead(206, headers).end(packed.subarray(0, 20));
        }
      },
    ],
  ])("that come %s are read", async (_, answer) => {
    const { url } = await serve(answer);
    expect(await readJson(httpFolder(url), "config.json", 10_000)).toEqual(JSON.parse(json));
  });

  it("that are short on the way and long here are refused while they come", async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    const { url } = await serve((_request, response) =>
      response.writeHead(200, { "content-encoding": "gzip", "content-length": bomb.length }).end(bomb),
    );
    await expect(readJson(httpFolder(url), "config.json", 10_000)).rejects.toThrow("is longer than 10000 bytes");
  });

  it("that nobody says are compressed are named", async () => {
    const { url } = await serve((_request, response) => response.end(gzipSync(json)));
    await expect(readJson(httpFolder(url), "config.json", 10_000)).rejects.toThrow("is compressed with gzip, and");
  });
});

describe("an address with a query", () => {
  it("has the query at every file, and messages do not show it", async () => {
    const { url, requests } = await serve((request, response) =>
      request.url!.includes("config") ? response.end(json) : response.writeHead(404).end(),
    );
    const folder = httpFolder(`${url}/?X-Signature=abc%2F1&v=2#part`);
    expect(await folder.has("config.json")).toBe(true);
    expect(await readJson(folder, "config.json", 1000)).toEqual(JSON.parse(json));
    await expect(folder.open("a b.json")).rejects.toThrow(`${url}: there is no a b.json`);
    expect(requests.map((request) => request.url)).toEqual([
      "/model/config.json?X-Signature=abc%2F1&v=2",
      "/model/a%20b.json?X-Signature=abc%2F1&v=2",
    ]);
    expect(folder.name).toBe(url);
  });
});

describe("ranges", () => {
  it("are asked for without If-Range, which servers seldom allow pages of other origins", async () => {
    const { url, requests } = await serve((request, response) => part(request, response, { etag: '"1"' }));
    expect(equal(await (await httpSource(url)).read(FAR, FAR + 9), bytes.subarray(FAR, FAR + 9))).toBe(true);
    expect(requests.map(({ headers }) => headers["if-range"])).toEqual([undefined, undefined]);
  });

  it("whose Content-Range is missing or hidden are read, with the length that HEAD tells", async () => {
    const { url } = await serve((request, response) => {
      if (request.method === "HEAD") response.writeHead(200, { "content-length": bytes.byteLength }).end();
      else part(request, response, { "content-range": undefined });
    });
    const source = await httpSource(url);
    expect(equal(await source.read(FAR, FAR + 9), bytes.subarray(FAR, FAR + 9))).toBe(true);
    expect(equal(await source.read(60_000, 70_000), bytes.subarray(60_000, 70_000))).toBe(true);
  });

  it("whose Content-Range is missing, and the length with it, are asked for as a whole file", async () => {
    const { url } = await serve((request, response) => {
      if (request.headers.range === undefined && request.method === "GET") response.end(bytes);
      else if (request.method === "HEAD") response.writeHead(405).end();
      else part(request, response, { "content-range": undefined });
    });
    expect(equal(await (await httpSource(url)).read(FAR, FAR + 9), bytes.subarray(FAR, FAR + 9))).toBe(true);
  });

  it("that are other ones than asked for, without a word of it, are refused", async () => {
    const { url } = await serve((request, response) => {
      if (request.method === "HEAD") return void response.writeHead(200, { "content-length": bytes.byteLength }).end();
      const [begin, end] = rangeOf(request);
      response.writeHead(206, { "content-length": end - begin }).end(bytes.subarray(0, end - begin));
    });
    await expect((await httpSource(url)).read(FAR, FAR + 9)).rejects.toThrow("sends parts of the file, but not those");
  });

  it.each([
    ["bytes 5-9/200000", "asked for bytes from 0, the server sent bytes from 5"],
    ["bytes 9-5/200000", 'the server sent the range "bytes 9-5/200000", which cannot be'],
    ["bytes 0-65535/100", 'the server sent the range "bytes 0-65535/100", which cannot be'],
    ["parts 0-65535/200000", 'the server sent the range "parts 0-65535/200000", which cannot be'],
    ["bytes 0-70000/200000", "asked for 65536 bytes, the server sent 70001"],
  ])("with the Content-Range %s are refused", async (range, message) => {
    const { url } = await serve((request, response) => part(request, response, { "content-range": range }));
    await expect(httpSource(url)).rejects.toThrow(message);
  });

  it("of unknown total, and shorter than asked for, are read to the end", async () => {
    const { url, requests } = await serve((request, response) => {
      if (request.method === "HEAD") return void response.writeHead(200, { "content-length": bytes.byteLength }).end();
      const [begin, asked] = rangeOf(request);
      const end = Math.min(asked, begin + 20_000);
      response.writeHead(206, { "content-range": `bytes ${begin}-${end - 1}/*` }).end(bytes.subarray(begin, end));
    });
    expect(equal(await (await httpSource(url)).read(100, 90_000), bytes.subarray(100, 90_000))).toBe(true);
    expect(requests.length).toBe(2 + 5);
  });

  it("that several parts answer are refused", async () => {
    const { url } = await serve((request, response) =>
      part(request, response, { "content-type": "multipart/byteranges; boundary=x" }),
    );
    await expect(httpSource(url)).rejects.toThrow("the server answered with several parts");
  });

  it("that stop being understood are taken from the whole file", async () => {
    const { url } = await serve((request, response, count) =>
      count === 1 ? part(request, response) : response.end(bytes),
    );
    const source = await httpSource(url);
    expect(equal(await source.read(FAR, FAR + 9), bytes.subarray(FAR, FAR + 9))).toBe(true);
    expect(equal(await source.read(70_000, 70_009), bytes.subarray(70_000, 70_009))).toBe(true);
  });
});

describe("a length that lies", () => {
  it("too long is a connection that broke", async () => {
    const { url, requests } = await serve((_request, response) => {
      response.writeHead(200, { "content-length": 1000 });
      response.write("short", () => setTimeout(() => response.destroy(), 5));
    });
    await expect(httpSource(url)).rejects.toThrow(/could not be read after 4 attempts: /);
    expect(requests.length).toBe(4);
  });

  it("of a range ends in a sentence, whether too short or too long", async () => {
    const short = await serve((request, response) => part(request, response, { "content-length": "100" }));
    await expect(httpSource(short.url)).rejects.toThrow(/could not be read after 4 attempts|sent more than/);
    const long = await serve((request, response) =>
      part(request, response, { "content-range": "bytes 0-99/200000", "content-length": "65536" }),
    );
    await expect(httpSource(long.url)).rejects.toThrow("the server sent more than the 100 bytes that it announced");
  });
});

describe("a file that changes while it is read", () => {
  it.each([
    ["ETag", (count: number) => ({ etag: `"${count}"` }), 'ETag was "1" and is "2" now'],
    ["date", (count: number) => ({ "last-modified": `Mon, 0${count} Jan 2024 00:00:00 GMT` }), "Last-Modified was"],
  ])("is told by its %s", async (_, headers, message) => {
    const { url } = await serve((request, response, count) => part(request, response, headers(count)));
    await expect((await httpSource(url)).read(FAR, FAR + 9)).rejects.toThrow(
      `changed on the server while it was read (${message}`,
    );
  });

  it("is not told by weak tags, nor by dates where the tags agree", async () => {
    const weak = await serve((request, response, count) => part(request, response, { etag: `W/"${count}"` }));
    expect((await (await httpSource(weak.url)).read(FAR, FAR + 9)).length).toBe(9);
    const moved = await serve((request, response, count) =>
      part(request, response, { etag: '"1"', "last-modified": `Mon, 0${count} Jan 2024 00:00:00 GMT` }),
    );
    expect((await (await httpSource(moved.url)).read(FAR, FAR + 9)).length).toBe(9);
  });
});

describe("redirects", () => {
  it("are followed for every request, and those that never end are a sentence", async () => {
    const { url } = await serve((request, response) => {
      if (request.url!.startsWith("/loop")) response.writeHead(302, { location: "/loop" }).end();
      else if (request.url === "/model") response.writeHead(302, { location: "/elsewhere" }).end();
      else part(request, response);
    });
    expect(equal(await (await httpSource(url)).read(FAR, FAR + 9), bytes.subarray(FAR, FAR + 9))).toBe(true);
    await expect(httpSource(url.replace("model", "loop"))).rejects.toThrow(/after 4 attempts: redirect count exceeded/);
  });
});

describe("a server that is busy", () => {
  it.each([429, 503])("(%i) is asked again after the pause that it asks for", async (status) => {
    const times: number[] = [];
    const { url } = await serve((request, response, count) => {
      times.push(performance.now());
      if (count === 1) response.writeHead(status, { "retry-after": "1" }).end();
      else part(request, response);
    });
    expect((await httpSource(url)).byteLength).toBe(bytes.byteLength);
    expect(times[1]! - times[0]!).toBeGreaterThan(990);
  });

  it("for too long is not waited for", async () => {
    const { url, requests } = await serve((_request, response) =>
      response.writeHead(429, { "retry-after": "3600" }).end(),
    );
    await expect(httpSource(url)).rejects.toThrow(
      "after 1 attempt: the server answered 429, too many requests; it asks for a pause of 3600 s: try again then",
    );
    expect(requests.length).toBe(1);
  });
});
