// Reads of a part of a safetensors file: which bytes they ask for, and parts beyond 4 GiB.

import { open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bufferSource, type ByteSource } from "./byte-source.ts";
import { fileSource } from "./local-folder.ts";
import { openSafetensors, writeSafetensors, type TensorToWrite } from "./safetensors.ts";

describe("reading a part", () => {
  it("reads only the header and the bytes asked for", async () => {
    const list = ["a", "b", "c"].map((name): TensorToWrite => ({
      name,
      dtype: "F32",
      shape: [1000],
      values: new Float32Array(1000),
    }));
    const bytes = writeSafetensors(list);
    const inner = bufferSource(bytes, "counted");
    const reads: [number, number][] = [];
    const counted: ByteSource = {
      ...inner,
      read(begin, end) {
        reads.push([begin, end]);
        return inner.read(begin, end);
      },
    };
    const file = await openSafetensors(counted);
    const dataBegin = bytes.byteLength - 12_000;
    expect(reads).toEqual([
      [0, 8],
      [8, dataBegin],
    ]);
    reads.length = 0;
    await file.readTensor("b");
    await file.readBytes("c", { begin: 100, end: 104 });
    expect(reads).toEqual([
      [dataBegin + 4000, dataBegin + 8000],
      [dataBegin + 8100, dataBegin + 8104],
    ]);
  });

  it("reads a small tensor beyond 4 GiB of a sparse file", async () => {
    const path = join(tmpdir(), `kedge-sparse-${process.pid}.safetensors`);
    const huge = 5 * 2 ** 30 + 4;
    const header = new TextEncoder().encode(
      JSON.stringify({
        huge: { dtype: "U8", shape: [huge], data_offsets: [0, huge] },
        far: { dtype: "F32", shape: [2], data_offsets: [huge, huge + 8] },
      }),
    );
    const start = new Uint8Array(8 + header.byteLength);
    new DataView(start.buffer).setBigUint64(0, BigInt(header.byteLength), true);
    start.set(header, 8);
    const handle = await open(path, "w");
    try {
      await handle.truncate(start.byteLength + huge + 8);
      await handle.write(start, 0, start.byteLength, 0);
      const far = new Uint8Array(Float32Array.of(0.5, -3).buffer);
      await handle.write(far, 0, 8, start.byteLength + huge);
      const source = await fileSource(path);
      const file = await openSafetensors(source);
      expect((await file.readTensor("far")).values).toEqual(Float32Array.of(0.5, -3));
      expect(await file.readBytes("huge", { begin: huge - 3 })).toEqual(new Uint8Array(3));
      expect(await source.read(2 ** 31 - 1, 2 ** 31 + 1)).toEqual(new Uint8Array(2));
      await file.close();
    } finally {
      await handle.close();
      await rm(path);
    }
  });
});
