import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bufferSource } from "./byte-source.ts";
import { FormatError } from "./errors.ts";
import { localFolder, openFolder } from "./local-folder.ts";
import { filesFolder, httpFolder, readText, type ModelFolder } from "./model-folder.ts";
import { writeSafetensors } from "./safetensors.ts";
import { openWeights } from "./shards.ts";

const weights = (...names: string[]): Uint8Array =>
  writeSafetensors(
    names.map((name) => ({ name, dtype: "F32" as const, shape: [2], values: Float32Array.of(name.length, 1) })),
  );

const json = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

const INDEX = "model.safetensors.index.json";
const folderOf = (files: Record<string, Uint8Array>): ModelFolder => filesFolder(new Map(Object.entries(files)), "m");

/** Two shards, with an index that says so. */
const sharded = (map: Record<string, unknown>, files: Record<string, Uint8Array> = {}): ModelFolder =>
  folderOf({
    "1.safetensors": weights("a", "bb"),
    "2.safetensors": weights("ccc"),
    [INDEX]: json({ metadata: {}, weight_map: map }),
    ...files,
  });

const sound = { a: "1.safetensors", bb: "1.safetensors", ccc: "2.safetensors" };

describe("weights", () => {
  it("of one file", async () => {
    const opened = await openWeights(folderOf({ "model.safetensors": weights("a", "bb") }));
    expect([...opened.tensors.keys()]).toEqual(["a", "bb"]);
    expect(opened).toMatchObject({ files: ["model.safetensors"], totalByteLength: 16 });
    expect((await opened.readTensor("bb")).values).toEqual(Float32Array.of(2, 1));
    await opened.close();
  });

  it("of many files are one map", async () => {
    const opened = await openWeights(sharded(sound));
    expect(opened).toMatchObject({ files: ["1.safetensors", "2.safetensors"], totalByteLength: 24 });
    expect(opened.tensors.get("ccc")).toMatchObject({ file: "2.safetensors", shape: [2] });
    expect((await opened.readTensor("ccc")).values).toEqual(Float32Array.of(3, 1));
    expect(await opened.readBytes("a", { end: 4 })).toEqual(new Uint8Array(Float32Array.of(1).buffer));
    await expect(opened.readBytes("zz")).rejects.toThrow('m: has no tensor "zz" among its 3');
    await opened.close();
  });

  it("reads each header once, whatever is read later, and closes every file", async () => {
    let openFiles = 0;
    const reads: string[] = [];
    const inner = sharded(sound);
    const counting: ModelFolder = {
      ...inner,
      async open(file) {
        const source = await inner.open(file);
        openFiles++;
        return {
          ...source,
          read: (begin, end) => {
            if (begin < 16) reads.push(`${file} ${begin}`);
            return source.read(begin, end);
          },
          close: async () => void openFiles--,
        };
      },
    };
    const opened = await openWeights(counting);
    await opened.readTensor("a");
    await opened.readTensor("a");
    expect(reads.filter((read) => read.endsWith(".safetensors 0")).length).toBe(2);
    expect(openFiles).toBe(2);
    await opened.close();
    expect(openFiles).toBe(0);
    await expect(
      openWeights({ ...counting, has: async (file) => file !== "2.safetensors" && inner.has(file) }),
    ).rejects.toThrow(FormatError);
    expect(openFiles).toBe(0);
  });

  const wrong: [string, ModelFolder, string][] = [
    [
      "no weights",
      folderOf({ "config.json": json("{}"), "pytorch_model.bin": json("") }),
      "m: there is no model.safetensors or model.safetensors.index.json; the folder has config.json, pytorch_model.bin",
    ],
    ["nothing at all", folderOf({}), "the folder is empty"],
    ["a missing shard", sharded({ ...sound, d: "3.safetensors" }), "names the shard 3.safetensors, which is not in m"],
    [
      "a tensor that is nowhere",
      sharded({ ...sound, d: "2.safetensors" }),
      'says that tensor "d" is in 2.safetensors, but it is in no shard',
    ],
    [
      "a tensor that is elsewhere",
      sharded({ ...sound, a: "2.safetensors" }),
      'says that tensor "a" is in 2.safetensors, but it is in 1.safetensors',
    ],
    [
      "a tensor in two shards",
      sharded(sound, { "2.safetensors": weights("a", "ccc") }),
      'tensor "a" is in two shards, 1.safetensors and 2.safetensors',
    ],
    [
      "a path upward",
      sharded({ ...sound, a: "../1.safetensors" }),
      'puts tensor "a" into "../1.safetensors", which is not a file inside the folder',
    ],
    ["an absolute path", sharded({ ...sound, a: "/etc/passwd" }), '"/etc/passwd"'],
    ["a path of Windows", sharded({ ...sound, a: "..\\1.safetensors" }), "which is not a file inside the folder"],
    ["a file that is no name", sharded({ a: 1 }), 'puts tensor "a" into 1; wanted a file name'],
    ["an index without a map", sharded({}, { [INDEX]: json({}) }), 'has no "weight_map"'],
    ["an index with an empty map", sharded({}), "names no tensor"],
    ["an index that is no JSON", sharded({}, { [INDEX]: json("{") }), `${INDEX}: is not JSON`],
    [
      "an index that is a pointer",
      sharded({}, { [INDEX]: json("version https://git-lfs.github.com/spec/v1\n") }),
      "Git LFS pointer",
    ],
    [
      "a broken shard",
      sharded(sound, { "2.safetensors": weights("ccc").slice(0, -1) }),
      "2.safetensors: its tensors end at byte",
    ],
  ];
  it.each(wrong)("%s", async (_name, folder, message) => {
    await expect(openWeights(folder)).rejects.toThrow(FormatError);
    await expect(openWeights(folder)).rejects.toThrow(message);
  });
});

/** A file as a page gets it from a chosen folder. */
const pickedFile = (path: string, bytes: Uint8Array): File => {
  const made = new File([new Uint8Array(bytes)], path.split("/").at(-1) ?? "");
  Object.defineProperty(made, "webkitRelativePath", { value: path });
  return made;
};

describe("folders", () => {
  it("on disk: lists, opens, names what is missing and what there is", async () => {
    const path = await mkdtemp(join(tmpdir(), "kedge-folder-"));
    try {
      await writeFile(join(path, "model.safetensors"), weights("a"));
      await writeFile(join(path, "config.json"), "{}");
      const folder = openFolder(`${path}/`);
      expect((await folder.list?.())?.sort()).toEqual(["config.json", "model.safetensors"]);
      expect((await openWeights(folder)).files).toEqual(["model.safetensors"]);
      await expect(folder.open("tokenizer.json")).rejects.toThrow(
        `${path}: there is no tokenizer.json; the folder has config.json, model.safetensors`,
      );
      expect(await folder.has("tokenizer.json")).toBe(false);
      expect(await readText(openFolder(new URL(`file://${path}`)), "config.json", 2)).toBe("{}");
      await expect(readText(folder, "config.json", 1)).rejects.toThrow("is 2 bytes long; at most 1 were expected");
      await expect(localFolder(join(path, "no")).open("config.json")).rejects.toThrow(`${path}/no: no such folder`);
      await expect(localFolder(join(path, "config.json")).open("x")).rejects.toThrow("is a file; wanted a folder");
    } finally {
      await rm(path, { recursive: true });
    }
  });

  it.each(["../x", "a/../x", "/x", "C:x", "a\\x", "", "a//x", "./x", "a\0"])("refuse to open %j", async (file) => {
    for (const folder of [folderOf({}), localFolder("."), httpFolder("http://127.0.0.1:9/m")]) {
      await expect(folder.open(file)).rejects.toThrow("does not name a file inside this folder");
    }
  });

  it("of files: from a map, or from a page's file input without its top folder", async () => {
    const picked = openFolder([
      pickedFile("my-model/model.safetensors", weights("a")),
      pickedFile("my-model/sub/x.txt", json("x")),
    ]);
    expect(await picked.list?.()).toEqual(["model.safetensors", "sub/x.txt"]);
    expect((await openWeights(picked)).tensors.size).toBe(1);
    expect(await readText(openFolder([new File(["hello"], "a.txt")]), "a.txt", 10)).toBe("hello");
    const own: ModelFolder = { name: "own", has: async () => true, open: async () => bufferSource(weights("q"), "q") };
    expect(openFolder(own)).toBe(own);
  });

  it("refuse text that is not UTF-8", async () => {
    await expect(readText(folderOf({ a: Uint8Array.of(0xff) }), "a", 10)).rejects.toThrow("a: is not UTF-8 text");
  });

  it("over HTTP: has and open cost one request a file, pages in place of files are no files", async () => {
    const requests: string[] = [];
    const server = createServer((request, response) => {
      requests.push(request.url ?? "");
      if (request.url === "/m%20x/model.safetensors") response.end(weights("a"));
      else if (request.url === "/m%20x/page") response.writeHead(200, { "content-type": "text/html" }).end("<html>");
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const folder = openFolder(`http://127.0.0.1:${(server.address() as AddressInfo).port}/m%20x/`);
      expect((await openWeights(folder)).tensors.size).toBe(1);
      expect(requests.filter((url) => url.endsWith("model.safetensors")).length).toBe(1);
      expect(await folder.has("page")).toBe(false);
      expect(await folder.has("none")).toBe(false);
      await expect(folder.open("none")).rejects.toThrow("there is no none");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
