import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FormatError } from "./errors.ts";
import { replaceableFile, writeWholeFile } from "./whole-file.ts";

let folder: string;
const at = (name: string): string => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kedge-whole-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("a file that is written whole", () => {
  it("is made, and replaced with its permissions; nothing else is left", () => {
    writeWholeFile(at("a"), "one");
    expect(readFileSync(at("a"), "utf8")).toBe("one");
    chmodSync(at("a"), 0o640);
    writeWholeFile(at("a"), new Uint8Array([50]));
    expect(readFileSync(at("a"), "utf8")).toBe("2");
    expect(statSync(at("a")).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  it("replaces what a link leads to, and not the link, even if that is not there yet", () => {
    mkdirSync(at("real"));
    writeFileSync(at("real/a"), "before");
    symlinkSync("real/a", at("link"));
    symlinkSync("real/new", at("dangling"));
    for (const [name, target] of [
      ["link", "real/a"],
      ["dangling", "real/new"],
    ] as const) {
      writeWholeFile(at(name), name);
      expect(readlinkSync(at(name))).toBe(target);
      expect(lstatSync(at(target)).isFile()).toBe(true);
      expect(readFileSync(at(target), "utf8")).toBe(name);
    }
    expect(readdirSync(at("real")).sort()).toEqual(["a", "new"]);
  });

  it.each([
    ["a folder", "folder", "is a folder; name a file"],
    ["a link to a folder", "to-folder", "is a folder; name a file"],
    ["a folder that is not there", "none/a", "cannot be written (ENOENT: there is no such folder)"],
    ["a file for a folder", "file/a", "cannot be written (ENOTDIR"],
    ["links in a circle", "circle", "cannot be written (ELOOP"],
  ])("is not %s", (_, name, message) => {
    mkdirSync(at("folder"));
    writeFileSync(at("file"), "kept");
    symlinkSync("folder", at("to-folder"));
    symlinkSync("circle", at("circle"));
    const before = readdirSync(folder).sort();
    expect(() => writeWholeFile(at(name), "x")).toThrow(FormatError);
    expect(() => writeWholeFile(at(name), "x")).toThrow(`${at(name)}: ${message}`);
    expect(readdirSync(folder).sort()).toEqual(before);
    expect(lstatSync(at("folder")).isDirectory()).toBe(true);
    expect(readFileSync(at("file"), "utf8")).toBe("kept");
  });

  it.skipIf(process.platform === "win32")("writes to a device as it is, or refuses it", () => {
    writeWholeFile("/dev/null", "gone");
    expect(lstatSync("/dev/null").isCharacterDevice()).toBe(true);
    expect(() => writeWholeFile("/dev/null", "x", { isRegularOnly: true })).toThrow("is a device, a pipe or a socket");
    execFileSync("mkfifo", [at("pipe")]);
    symlinkSync("pipe", at("to-pipe"));
    for (const name of ["pipe", "to-pipe"]) {
      expect(() => replaceableFile(at(name), { isRegularOnly: true })).toThrow("is a device, a pipe or a socket");
      expect(replaceableFile(at(name)).kind).toBe("stream");
    }
  });

  it.skipIf(!existsSync("/dev/full"))("says that the disk is full", () => {
    expect(() => writeWholeFile("/dev/full", "x")).toThrow("/dev/full: cannot be written (ENOSPC: the disk is full)");
  });
});
