import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { serveLocally, type Answer } from "../tests/support/local-server.ts";
import { FormatError } from "./errors.ts";
import { findHttpSource, httpSource } from "./http-source.ts";

const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) >> 3);
/** Beyond the block that opening reads. */
const FAR = 200_000;

/** A server that answers so; `requests` are the ranges that were asked for. */
async function serve(answer: Answer): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = [];
  const address = await serveLocally((request, response, count) => {
    requests.push(`${request.method} ${request.headers.range ?? ""}`);
    answer(request, response, count);
  });
  return { url: `${address}/m.bin`, requests };
}

function rangeOf(request: IncomingMessage): [number, number] {
  const [, begin, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  return [Number(begin), Math.min(Number(last) + 1, bytes.byteLength)];
}

const ranged: Answer = (request, response) => {
  const [begin, end] = rangeOf(request);
  response.writeHead(206, {
    "content-range": `bytes ${begin}-${end - 1}/${bytes.byteLength}`,
    "content-length": end - begin,
  });
  response.end(bytes.subarray(begin, end));
};

describe("a server with ranges", () => {
  it("is asked only for what is read, and not again for its opening block", async () => {
    const { url, requests } = await serve(ranged);
    const source = await httpSource(url);
    expect(source.byteLength).toBe(300_000);
    expect(Buffer.compare(await source.read(100, 5000), bytes.slice(100, 5000))).toBe(0);
    expect(requests).toEqual(["GET bytes=0-65535"]);
    expect(await source.read(FAR, FAR + 10)).toEqual(bytes.slice(FAR, FAR + 10));
    expect(await source.read(65_000, 66_000)).toEqual(bytes.slice(65_000, 66_000));
    expect(requests.slice(1)).toEqual([`GET bytes=${FAR}-${FAR + 9}`, "GET bytes=65000-65999"]);
    await expect(source.read(0, 300_001)).rejects.toThrow("but there are 300000");
  });

  it("gets the caller's headers and fetch", async () => {
    const { url } = await serve((request, response, count) => {
      if (request.headers.authorization !== "Bearer x") response.writeHead(401).end();
      else ranged(request, response, count);
    });
    await expect(httpSource(url)).rejects.toThrow("answered 401: it wants a login or a token");
    let calls = 0;
    const counting: typeof fetch = (input, init) => {
      calls++;
      return fetch(input, init);
    };
    const source = await httpSource(url, { headers: { authorization: "Bearer x" }, fetch: counting });
    await source.read(FAR, FAR + 1);
    expect(calls).toBe(2);
  });

  it("that drops the connection is asked for the rest only", async () => {
    const { url, requests } = await serve((request, response, count) => {
      if (count === 1) return ranged(request, response, count);
      const [begin, end] = rangeOf(request);
      response.writeHead(206, {
        "content-range": `bytes ${begin}-${end - 1}/${bytes.byteLength}`,
        "content-length": end - begin,
      });
      // More drops than there are attempts: each brings something, so none of them counts.
      if (count > 7) return void response.end(bytes.subarray(begin, end));
      response.write(bytes.subarray(begin, begin + 1000), () => setTimeout(() => response.destroy(), 20));
    });
    const source = await httpSource(url);
    expect(Buffer.compare(await source.read(FAR, FAR + 50_000), bytes.slice(FAR, FAR + 50_000))).toBe(0);
    expect(requests.slice(1)).toEqual(
      [0, 1, 2, 3, 4, 5, 6].map((drops) => `GET bytes=${FAR + 1000 * drops}-${FAR + 49_999}`),
    );
  });

  it("that never answers to the end is given up, with the reason", async () => {
    const { url, requests } = await serve((_request, response) => response.destroy());
    await expect(httpSource(url)).rejects.toThrow(/could not be read after 4 attempts: /);
    expect(requests.length).toBe(4);
  });

  it("that is in trouble for a moment is asked again", async () => {
    const { url } = await serve((request, response, count) => {
      if (count === 1 || count === 3) response.writeHead(503).end("busy");
      else ranged(request, response, count);
    });
    const source = await httpSource(url);
    expect(await source.read(FAR, FAR + 4)).toEqual(bytes.slice(FAR, FAR + 4));
  });

  it("that sends another range than it was asked for is refused", async () => {
    const { url } = await serve((request, response, count) => {
      if (count === 1) return ranged(request, response, count);
      response.writeHead(206, { "content-range": `bytes 0-9/${bytes.byteLength}` }).end(bytes.subarray(0, 10));
    });
    const source = await httpSource(url);
    await expect(source.read(FAR, FAR + 10)).rejects.toThrow(
      `asked for bytes from ${FAR} of 300000, the server sent bytes from 0 of 300000`,
    );
  });

  it("whose file has changed is refused", async () => {
    const { url } = await serve((request, response, count) => {
      if (count === 1) return ranged(request, response, count);
      response.writeHead(200).end(bytes.subarray(0, 10));
    });
    const source = await httpSource(url);
    await expect(source.read(FAR, FAR + 10)).rejects.toThrow("had 300000 bytes when it was opened and has 10 now");
  });

  it("has empty files too", async () => {
    const { url } = await serve((_request, response) =>
      response.writeHead(416, { "content-range": "bytes */0" }).end(),
    );
    expect((await httpSource(url)).byteLength).toBe(0);
  });
});

describe("a server without ranges", () => {
  it("sends everything once", async () => {
    const { url, requests } = await serve((_request, response) => response.end(bytes));
    const source = await httpSource(url);
    expect(source.byteLength).toBe(300_000);
    expect(await source.read(FAR, FAR + 10)).toEqual(bytes.slice(FAR, FAR + 10));
    expect(Buffer.compare(await source.read(0, 300_000), bytes)).toBe(0);
    expect(requests.length).toBe(1);
  });

  it("that stops in the middle is asked again, and is not believed", async () => {
    const { url, requests } = await serve((_request, response, count) => {
      response.writeHead(200, { "content-length": bytes.byteLength });
      if (count > 1) response.end(bytes);
      else response.write(bytes.subarray(0, 1000), () => setTimeout(() => response.destroy(), 20));
    });
    expect(Buffer.compare(await (await httpSource(url)).read(0, 300_000), bytes)).toBe(0);
    expect(requests.length).toBe(2);
  });
});

describe("what is not the file", () => {
  it("an HTML page", async () => {
    const { url } = await serve((_request, response) =>
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<html>"),
    );
    await expect(httpSource(url)).rejects.toThrow(`${url}: the server answered with an HTML page instead of the file`);
    await expect(httpSource(url)).rejects.toThrow(FormatError);
  });

  it("404 is an error, or null for who asks whether it is there", async () => {
    const { url } = await serve((_request, response) => response.writeHead(404).end());
    await expect(httpSource(url)).rejects.toThrow("answered 404: there is no such file");
    expect(await findHttpSource(url)).toBeNull();
  });

  it("another status", async () => {
    const { url, requests } = await serve((_request, response) => response.writeHead(400).end());
    await expect(httpSource(url)).rejects.toThrow("the server answered 400; wanted 200 or 206");
    expect(requests.length).toBe(1);
  });
});

it("stops when told to, in the middle of a read", async () => {
  const { url } = await serve((request, response, count) => {
    if (count === 1) return ranged(request, response, count);
    const [begin, end] = rangeOf(request);
    response.writeHead(206, { "content-range": `bytes ${begin}-${end - 1}/${bytes.byteLength}` });
    response.write(bytes.subarray(begin, begin + 10));
  });
  const source = await httpSource(url);
  const controller = new AbortController();
  const reading = source.read(FAR, FAR + 1000, controller.signal);
  setTimeout(() => controller.abort(new Error("enough")), 50);
  await expect(reading).rejects.toThrow("enough");
});
