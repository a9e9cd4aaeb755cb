import { execFileSync } from "node:child_process";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDocument } from "./choice-store.ts";
import { FileStore, fileOf } from "./file-store.ts";
import { IndexedDbStore, type DatabaseFactory } from "./indexed-db-store.ts";
import { NO_CHOICES } from "./kept-choices.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kedge-choices-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a file", () => {
  it("is in the user's folder for caches, or where the environment says", async () => {
    const name = join("kedge", "kernel-choices.json");
    expect(await fileOf({ XDG_CACHE_HOME: "/caches", LOCALAPPDATA: "/caches" })).toBe(join("/caches", name));
    expect(await fileOf({})).toMatch(/kernel-choices\.json$/);
    expect(await fileOf({ KEDGE_KERNEL_CHOICES: "/a/b.json" })).toBe("/a/b.json");
    expect(await fileOf({ KEDGE_KERNEL_CHOICES: "off" })).toBeUndefined();
  });

  it("keeps a value, in folders that it makes, and leaves nothing else behind", async () => {
    const store = new FileStore(join(folder, "deep", "er", "choices.json"));
    expect(await store.read()).toBeUndefined();
    await store.write({ a: 1 });
    await store.write({ a: 2 });
    expect(await store.read()).toEqual({ a: 2 });
    expect(await readdir(join(folder, "deep", "er"))).toEqual(["choices.json"]);
    await store.clear();
    await store.clear();
    expect(await store.read()).toBeUndefined();
  });

  it("is the old one where the new one cannot be written", async () => {
    const store = new FileStore(join(folder, "kept.json"));
    await store.write({ a: 1 });
    const endless: Record<string, unknown> = {};
    endless["self"] = endless;
    await expect(store.write(endless)).rejects.toThrow("circular");
    expect(await store.read()).toEqual({ a: 1 });
    expect((await readdir(folder)).filter((file) => file.includes("unfinished"))).toEqual([]);
  });

  it("that a link leads to is replaced and removed, and the link stays", async () => {
    await symlink("linked.json", join(folder, "link.json"));
    const store = new FileStore(join(folder, "link.json"));
    expect(await store.read()).toBeUndefined();
    await store.write({ a: 1 });
    expect(await new FileStore(join(folder, "linked.json")).read()).toEqual({ a: 1 });
    await store.clear();
    expect(await store.read()).toBeUndefined();
    expect((await lstat(join(folder, "link.json"))).isSymbolicLink()).toBe(true);
  });

  it.skipIf(process.platform === "win32")("is nothing but a file: what else is there stays, unread", async () => {
    await mkdir(join(folder, "folder.json"));
    execFileSync("mkfifo", [join(folder, "pipe.json")]);
    await symlink("/dev/null", join(folder, "device.json"));
    for (const path of [...["folder", "pipe", "device"].map((name) => join(folder, `${name}.json`)), "/dev/null"]) {
      const before = await lstat(path);
      const store = new FileStore(path);
      const warnings: string[] = [];
      expect(await readDocument(store, (warning) => warnings.push(warning))).toEqual(NO_CHOICES);
      expect(warnings).toEqual([expect.stringMatching(/is ignored: .*; name a (regular )?file$/)]);
      await expect(store.write({})).rejects.toThrow(`${path}: is a `);
      await expect(store.clear()).rejects.toThrow(`${path}: is a `);
      expect([(await lstat(path)).ino, (await lstat(path)).mode]).toEqual([before.ino, before.mode]);
    }
    expect((await readdir(folder)).filter((file) => file.includes("unfinished"))).toEqual([]);
  });

  it.each([
    ["cut off", `{"format":1,"records":[{"iden`],
    ["something else", `["not", "choices"]`],
    ["empty", ""],
  ])("that is broken (%s) is ignored, with one warning", async (_, text) => {
    const path = join(folder, "broken.json");
    await writeFile(path, text);
    const warnings: string[] = [];
    expect(await readDocument(new FileStore(path), (warning) => warnings.push(warning))).toEqual(NO_CHOICES);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${path} is ignored: `);
    expect(await readFile(path, "utf8")).toBe(text);
  });
});

/** Something that is listened to; it fires in a later task. */
const target = () => {
  const listeners = new Map<string, () => void>();
  const fire = (kind: string) => setTimeout(() => listeners.get(kind)?.());
  return {
    fire,
    on: { addEventListener: (kind: string, listener: () => void) => void listeners.set(kind, listener) },
  };
};

/** As much of IndexedDB as the store uses; everything happens in a later task, as there. */
function fakeDatabase(failure?: Error): { readonly factory: DatabaseFactory; readonly kept: Map<string, unknown> } {
  const kept = new Map<string, unknown>();
  let isMade = false;
  const database = {
    createObjectStore: () => void (isMade = true),
    close: () => undefined,
    transaction: () => {
      if (!isMade) throw new Error("there is no such store");
      const { fire, on } = target();
      const answer = (result: unknown) => {
        fire(failure ? "abort" : "complete");
        return { ...target().on, result, error: null };
      };
      return {
        ...on,
        error: failure ?? null,
        objectStore: () => ({
          get: (name: string) => answer(kept.get(name)),
          put: (value: unknown, name: string) => answer(void (failure ?? kept.set(name, structuredClone(value)))),
          delete: (name: string) => answer(void kept.delete(name)),
        }),
      };
    },
  };
  const factory = {
    open: () => {
      const { fire, on } = target();
      if (!isMade) fire("upgradeneeded");
      fire("success");
      return { ...on, result: database, error: null };
    },
  };
  return { factory, kept };
}

describe("a browser's database", () => {
  it("keeps one value", async () => {
    const { factory, kept } = fakeDatabase();
    const store = new IndexedDbStore(factory);
    expect(await store.read()).toBeUndefined();
    await store.write({ a: 1 });
    expect(await new IndexedDbStore(factory).read()).toEqual({ a: 1 });
    expect(kept.size).toBe(1);
    await store.clear();
    expect(await store.read()).toBeUndefined();
  });

  it("that fails is ignored, with one warning", async () => {
    const warnings: string[] = [];
    const store = new IndexedDbStore(fakeDatabase(new Error("the disk is full")).factory);
    expect(await readDocument(store, (warning) => warnings.push(warning))).toEqual(NO_CHOICES);
    expect(warnings).toEqual([`kedge: IndexedDB, database "kedge" is ignored: the disk is full`]);
    await expect(store.write({})).rejects.toThrow("the disk is full");
  });
});
