import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blobSource, bufferSource, type ByteSource } from "./byte-source.ts";
import { fileSource } from "./local-folder.ts";
import { FormatError } from "./errors.ts";

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * 7);
let folder = "";
let path = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kedge-bytes-"));
  path = join(folder, "a.bin");
  await writeFile(path, bytes);
});
afterAll(() => rm(folder, { recursive: true }));

const makers: Record<string, () => Promise<ByteSource>> = {
  file: () => fileSource(path),
  blob: async () => blobSource(new Blob([bytes]), "a.bin"),
  buffer: async () => bufferSource(bytes, "a.bin"),
  "array buffer": async () => bufferSource(bytes.buffer, "a.bin"),
};

describe.each(Object.keys(makers))("%s source", (kind) => {
  const make = (): Promise<ByteSource> => makers[kind]?.() ?? Promise.reject(new Error(kind));

  it("gives any range, empty ones and the whole too", async () => {
    const source = await make();
    expect(source.byteLength).toBe(1000);
    for (const [begin, end] of [
      [0, 1000],
      [0, 0],
      [1000, 1000],
      [999, 1000],
      [123, 456],
    ] as const) {
      expect(await source.read(begin, end)).toEqual(bytes.slice(begin, end));
    }
    await source.close();
  });

  it("refuses what is not there with one sentence, and what is no range", async () => {
    const source = await make();
    await expect(source.read(990, 1001)).rejects.toThrow(FormatError);
    await expect(source.read(990, 1001)).rejects.toThrow(
      "bytes 990..1001 were asked for, but there are 1000: it is truncated",
    );
    for (const [begin, end] of [
      [-1, 1],
      [2, 1],
      [0.5, 1],
      [0, Number.NaN],
    ] as const) {
      await expect(source.read(begin, end)).rejects.toThrow(RangeError);
    }
    await source.close();
  });

  it("stops for an aborted signal and after closing", async () => {
    const source = await make();
    await expect(source.read(0, 1, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    await source.close();
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow("was closed");
  });
});

describe("file source", () => {
  it("says that there is no such file, or that it is a folder", async () => {
    await expect(fileSource(join(folder, "none"))).rejects.toThrow(`${join(folder, "none")}: no such file`);
    await expect(fileSource(folder)).rejects.toThrow("is a folder; wanted a file");
  });

  it("notices that a file was cut while it was open", async () => {
    const cut = join(folder, "cut.bin");
    await writeFile(cut, bytes);
    const source = await fileSource(cut);
    await truncate(cut, 500);
    await expect(source.read(400, 600)).rejects.toThrow("ends at byte 500, but bytes 400..600 were asked for");
    await source.close();
  });
});

it("takes a File's name", () => expect(blobSource(new File([bytes], "weights.bin")).name).toBe("weights.bin"));
