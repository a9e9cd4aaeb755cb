import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockFile } from "./file-lock.ts";

let folder: string;
const at = (name: string): string => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kedge-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const refused = (name: string): string =>
  `${at(name)}: is in use by process ${process.pid}: wait until that ends, or name another file`;

describe("a lock", () => {
  it("is held once, whether its file is there or not, and given back", async () => {
    const lock = await lockFile(at("a"));
    await expect(lockFile(at("a"))).rejects.toThrow(refused("a"));
    writeFileSync(at("a"), "");
    await expect(lockFile(at("a"))).rejects.toThrow(refused("a"));
    const other = await lockFile(at("b"));
    lock.release();
    (await lockFile(at("a"))).release();
    other.release();
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  it("is one for all names of a file", async () => {
    mkdirSync(at("real"));
    writeFileSync(at("real/a"), "");
    symlinkSync("real/a", at("link"));
    symlinkSync("real", at("other"));
    linkSync(at("real/a"), at("hard"));
    const lock = await lockFile(at("real/a"));
    for (const name of ["link", "other/a", "hard"]) await expect(lockFile(at(name))).rejects.toThrow(refused(name));
    lock.release();
    for (const name of ["link", "other/a", "hard"]) (await lockFile(at(name))).release();
  });

  it("is one's of many that want it at once", async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lockFile(at("a"))));
    const locks = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    expect(locks).toHaveLength(1);
    for (const lock of locks) lock.release();
  });

  it("of a file in a folder that is not there says so", async () => {
    await expect(lockFile(at("none/a"))).rejects.toThrow(`${at("none/a")}: cannot be written (ENOENT`);
  });
});
