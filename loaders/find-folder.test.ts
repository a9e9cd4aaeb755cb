// What the name of a model leads to, in Node and in a page (a stand-in for `location`, and a server for both page and Hub).

import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeStorage } from "../tests/support/fake-storage.ts";
import { findFolder } from "./find-folder.ts";
import { readText } from "./model-folder.ts";

/** What the server has, by path. */
let files: Record<string, string>;
let asked: string[];
let server: Server;
let origin: string;
let disk: string;
beforeEach(async () => {
  asked = [];
  files = {};
  server = createServer((request, response) => {
    const path = request.url!;
    asked.push(path);
    const text = files[path];
    if (text === undefined) response.writeHead(404).end("Not Found");
    else response.writeHead(200, { "content-length": Buffer.byteLength(text), etag: '"1"' }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  disk = mkdtempSync(join(tmpdir(), "kedge-find-"));
});
const hub = () => ({ hubUrl: `${origin}/hub`, cacheDir: join(disk, "cache") });
afterEach(() => {
  vi.unstubAllGlobals();
  server.close();
  rmSync(disk, { recursive: true });
});

describe("in Node", () => {
  it("a path that exists wins, over a repository of the same name too", async () => {
    const cwd = process.cwd();
    try {
      mkdirSync(join(disk, "owner", "name"), { recursive: true });
      writeFileSync(join(disk, "owner", "name", "config.json"), "{}");
      process.chdir(disk);
      const { folder, where } = await findFolder("owner/name", hub());
      expect(where).toBe("disk");
      expect(await readText(folder, "config.json", 2)).toBe("{}");
      await expect(findFolder("owner/nam", hub())).rejects.toThrow("owner/nam: no such folder");
      expect(asked).toEqual([]);
    } finally {
      process.chdir(cwd);
    }
  });

  it("a store that there is not is refused, whatever the source", async () => {
    await expect(findFolder(disk, { store: "disk" as "opfs" })).rejects.toThrow(
      'store is "disk": use "opfs", "cache" or false',
    );
    await expect(findFolder(`${origin}/m`, { store: "opfs" })).rejects.toThrow(
      'store is "opfs", but this is no page: use store: false',
    );
  });

  it("a path that is a file is refused", async () => {
    writeFileSync(join(disk, "config.json"), "{}");
    await expect(findFolder(join(disk, "config.json"))).rejects.toThrow("is a file; wanted the folder it is in");
  });

  it("the name of a model that comes with the package is that model, with or without its folder", async () => {
    const cwd = process.cwd();
    try {
      process.chdir(disk);
      for (const name of ["kedge-js-5m", "models/kedge-js-5m"]) {
        const { folder, where } = await findFolder(name);
        expect(where).toBe("disk");
        expect(JSON.parse(await readText(folder, "config.json", 10_000))).toMatchObject({ model_type: "llama" });
      }
      await expect(findFolder("kedge-js-6m")).rejects.toThrow("kedge-js-6m: no such folder");
    } finally {
      process.chdir(cwd);
    }
  });

  it("owner/name is asked of the Hub, and an error names both places", async () => {
    await expect(findFolder("nobody/nothing", hub())).rejects.toThrow(
      "nobody/nothing: no such folder, and the Hub has no such repository or revision",
    );
    expect(asked[0]).toMatch(/^\/hub\/api\/models\/nobody\/nothing/);
  });

  it("an address is taken as it is, and files are the caller's", async () => {
    files["/m/config.json"] = "{}";
    const web = await findFolder(`${origin}/m`);
    expect([web.where, await readText(web.folder, "config.json", 2)]).toEqual(["web", "{}"]);
    expect(await findFolder(pathToFileURL(disk))).toMatchObject({ where: "disk", folder: { name: disk } });
    expect(await findFolder(new Map([["config.json", new Uint8Array(2)]]))).toMatchObject({ where: "files" });
    expect((await findFolder(web.folder)).folder).toBe(web.folder);
  });
});

describe("in a page", () => {
  beforeEach(() => vi.stubGlobal("location", { href: `${origin}/app/index.html` }));

  it("a name is an address relative to the page, where there is a config.json", async () => {
    files["/app/models/mine/config.json"] = "near";
    files["/hub/models/mine/resolve/main/config.json"] = "far";
    const { folder, where } = await findFolder("models/mine", { hubUrl: `${origin}/hub` });
    expect([where, await readText(folder, "config.json", 4)]).toEqual(["web", "near"]);
    expect(asked).toEqual(["/app/models/mine/config.json"]);
  });

  it("owner/name is a repository of the Hub where the page has none", async () => {
    files["/hub/owner/name/resolve/v2/config.json"] = "far";
    const { folder, where } = await findFolder("owner/name", { hubUrl: `${origin}/hub/`, revision: "v2" });
    expect([where, await readText(folder, "config.json", 4)]).toEqual(["hub", "far"]);
  });

  it("owner/name that is stored is found where no server can be reached", async () => {
    new FakeStorage().install(`${origin}/app/index.html`);
    files["/hub/owner/name/resolve/main/config.json"] = "far";
    const options = { hubUrl: `${origin}/hub` };
    expect(await readText((await findFolder("owner/name", options)).folder, "config.json", 4)).toBe("far");
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const { folder, where } = await findFolder("owner/name", options);
    expect([where, await readText(folder, "config.json", 4)]).toEqual(["hub", "far"]);
    expect(folder.notes).toEqual([expect.stringContaining("the copy in this browser is used")]);
    await expect(findFolder("owner/other", options)).rejects.toThrow("could not be read after 4 attempts");
  });

  it("the model in the package is found beside the scripts, and an error says what to copy where", async () => {
    const beside = new URL("../models/kedge-js-5m", import.meta.url).href;
    const requested: string[] = [];
    const answer = (status: number) => async (input: unknown) => {
      requested.push(String(input));
      const isBeside = String(input).startsWith(beside);
      return new Response("{}", { status: isBeside ? status : 404, headers: { "content-length": "2" } });
    };
    const { folder, where } = await findFolder("kedge-js-5m", { fetch: answer(200) as typeof fetch });
    expect([where, folder.name]).toEqual(["web", beside]);
    expect(requested.at(0)).toBe(`${origin}/app/kedge-js-5m/config.json`);
    await expect(findFolder("models/kedge-js-5m", { fetch: answer(404) as typeof fetch })).rejects.toThrow(
      `models/kedge-js-5m: there is no config.json at ${origin}/app/models/kedge-js-5m, and none at ${beside}: ` +
        "copy the folder from node_modules/kedge/models",
    );
  });

  it("an error names both places", async () => {
    await expect(findFolder("owner/name", { hubUrl: `${origin}/hub` })).rejects.toThrow(
      `owner/name: there is no config.json at ${origin}/app/owner/name, and none at ${origin}/hub/owner/name/resolve/main`,
    );
  });
});
