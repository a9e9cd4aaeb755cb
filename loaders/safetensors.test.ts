import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bufferSource } from "./byte-source.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import { DTYPE_BITS, type Dtype } from "./tensor-info.ts";
import { openSafetensors, writeSafetensors, type TensorToWrite } from "./safetensors.ts";

/** A file of this header and so many bytes of data. */
function fileOf(header: string | object, dataLength: number, headerLength?: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.byteLength + dataLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength ?? json.byteLength), true);
  file.set(json, 8);
  return file;
}

const opened = (bytes: Uint8Array): ReturnType<typeof openSafetensors> =>
  openSafetensors(bufferSource(bytes, "m.safetensors"));

async function problemOf(bytes: Uint8Array): Promise<string> {
  const error: unknown = await opened(bytes).then(
    () => "was accepted",
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FormatError);
  return (error as FormatError).message;
}

const f32 = (shape: number[], begin: number, end: number): object => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

describe("a sound file", () => {
  it("gives names, shapes, places, metadata and values", async () => {
    const bytes = writeSafetensors(
      [
        { name: "b", dtype: "F32", shape: [2, 1], values: Float32Array.of(1.5, -2) },
        { name: "a", dtype: "I64", shape: [], values: BigInt64Array.of(-7n) },
        { name: "empty", dtype: "F32", shape: [3, 0], values: new Float32Array(0) },
      ],
      { format: "pt" },
    );
    const file = await opened(bytes);
    expect([...file.tensors.keys()]).toEqual(["a", "b", "empty"]);
    expect(file.metadata.get("format")).toBe("pt");
    expect((await file.readTensor("b")).values).toEqual(Float32Array.of(1.5, -2));
    expect((await file.readTensor("a")).values).toEqual(BigInt64Array.of(-7n));
    expect(await file.readTensor("empty")).toEqual({ dtype: "F32", shape: [3, 0], values: new Float32Array(0) });
    const b = file.tensors.get("b");
    expect(bytes.slice(b?.begin, b?.end)).toEqual(await file.readBytes("b"));
    expect(await file.readBytes("b", { begin: 4, end: 8 })).toEqual(new Uint8Array(Float32Array.of(-2).buffer));
  });

  it("may pad its header, order tensors as it likes, escape names and have no tensors", async () => {
    const file = await opened(
      fileOf(`{ "\\u0062\\n": ${JSON.stringify(f32([1], 4, 8))},\n "a":${JSON.stringify(f32([1], 0, 4))} }  \n`, 8),
    );
    expect([...file.tensors.keys()]).toEqual(["b\n", "a"]);
    expect((await opened(fileOf("{}", 0))).tensors.size).toBe(0);
    expect((await opened(fileOf('{"__metadata__":{}}', 0))).tensors.size).toBe(0);
    // What an object of JavaScript would take for something else.
    expect(
      (await opened(fileOf('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1))).tensors.has(
        "__proto__",
      ),
    ).toBe(true);
  });

  it("reads values wherever they lie: misaligned bytes are copied", async () => {
    const header = {
      a: { dtype: "U8", shape: [1], data_offsets: [0, 1] },
      b: { dtype: "F64", shape: [2], data_offsets: [1, 17] },
    };
    const bytes = fileOf(header, 17);
    new DataView(bytes.buffer).setFloat64(bytes.byteLength - 8, 0.1, true);
    for (const shift of [0, 1, 2, 3, 4, 5, 6, 7]) {
      const moved = new Uint8Array(bytes.byteLength + shift);
      moved.set(bytes, shift);
      const file = await opened(moved.subarray(shift));
      expect((await file.readTensor("b")).values).toEqual(Float64Array.of(0, 0.1));
    }
  });

  it("knows every dtype's size, and says which it cannot turn into values", async () => {
    for (const [dtype, bits] of Object.entries(DTYPE_BITS)) {
      const file = await opened(fileOf({ t: { dtype, shape: [8], data_offsets: [0, bits] } }, bits));
      expect((await file.readBytes("t")).byteLength).toBe(bits);
      const isReadable = !/^(F8|F6_|F4|C64)/.test(dtype);
      if (isReadable) expect((await file.readTensor("t")).values.length).toBe(8);
      else await expect(file.readTensor("t")).rejects.toThrow(UnsupportedError);
    }
  });
});

/** Text as bytes, one a character. */
const text = (characters: string): Uint8Array => Uint8Array.from(characters, (c) => c.charCodeAt(0));

describe("what is wrong is said", () => {
  const header = (json: string, data = 0): Uint8Array => fileOf(json, data);
  const cases: [string, Uint8Array, string][] = [
    ["nothing", new Uint8Array(0), "is 0 bytes long; a safetensors file has at least 8"],
    ["seven bytes", new Uint8Array(7), "is 7 bytes long"],
    ["a header longer than the file", fileOf("{}", 0, 3), "3 bytes long, but only 2 follow: it is truncated"],
    ["a header over the limit", fileOf("{}", 0, 100_000_001), "is 100000001 bytes long; at most 100000000"],
    ["a header of 2^64-1", new Uint8Array(16).fill(255), "at most 100000000"],
    ["a header of 2^32 + 2", fileOf("{}", 0, 2 ** 32 + 2), "its header is 4294967298 bytes long"],
    ["an empty header", fileOf("", 0), "does not start with {"],
    ["space before the header", header(" {}"), "does not start with {"],
    ["a byte order mark", header("\uFEFF{}"), "does not start with {"],
    ["a list", header("[]"), "does not start with {"],
    ["an unfinished header", header('{"a":'), "found the header's end"],
    ["text after the header", header("{}{}"), "something follows"],
    ["a trailing comma", header('{"__metadata__":{},}'), "wanted a tensor's name in quotes"],
    [
      "the same name twice",
      header(`{"a":${JSON.stringify(f32([0], 0, 0))},"\\u0061":${JSON.stringify(f32([0], 0, 0))}}`),
      'tensor "a" is there twice',
    ],
    ["metadata twice", header('{"__metadata__":{},"__metadata__":{}}'), "is there twice"],
    ["a metadata key twice", header('{"__metadata__":{"a":"1","a":"2"}}'), 'metadata key "a" is there twice'],
    ["metadata that is no text", header('{"__metadata__":{"a":1}}'), 'metadata text of "a" in quotes, found "1}}"'],
    [
      "a field twice",
      header('{"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
      'has two "dtype"',
    ],
    [
      "an unknown field",
      header('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"x":1}}'),
      'an unknown field "x"',
    ],
    ["no dtype", header('{"a":{"shape":[0],"data_offsets":[0,0]}}'), "has no dtype"],
    ["no shape", header('{"a":{"dtype":"F32","data_offsets":[0,0]}}'), "has no shape"],
    ["no offsets", header('{"a":{"dtype":"F32","shape":[0]}}'), "has no data_offsets"],
    ["one offset", header('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0]}}'), "has no data_offsets [begin, end]"],
    ["three offsets", header('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0,0]}}'), "more than 2 numbers"],
    [
      "an unknown dtype",
      header('{"a":{"dtype":"F33","shape":[0],"data_offsets":[0,0]}}'),
      'the dtype "F33"; known are BOOL',
    ],
    [
      "a dtype of Object",
      header('{"a":{"dtype":"toString","shape":[0],"data_offsets":[0,0]}}'),
      'the dtype "toString"',
    ],
    ["a negative size", header('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', 4), "wanted whole numbers"],
    ["a fraction", header('{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', 4), "wanted , or ]"],
    ["an exponent", header('{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}', 4), "wanted , or ]"],
    ["a leading zero", header('{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}', 4), "wanted whole numbers"],
    [
      "a size of 2^53",
      header('{"a":{"dtype":"F32","shape":[9007199254740992],"data_offsets":[0,4]}}', 4),
      "whole numbers up to 2^53",
    ],
    [
      "a size of 10^400",
      header(`{"a":{"dtype":"F32","shape":[1${"0".repeat(400)}],"data_offsets":[0,4]}}`, 4),
      "whole numbers up to 2^53",
    ],
    ["a product that overflows", fileOf({ a: f32([2 ** 40, 2 ** 40], 0, 4) }, 4), "more than 9007199254740991 bits"],
    [
      "an overflow hidden by a zero",
      fileOf({ a: f32([2 ** 40, 2 ** 40, 0], 0, 0) }, 0),
      "more than 9007199254740991 bits",
    ],
    [
      "sixty-five sizes",
      fileOf(
        {
          a: f32(
            Array.from({ length: 65 }, () => 1),
            0,
            4,
          ),
        },
        4,
      ),
      "more than 64 numbers",
    ],
    [
      "half a byte",
      fileOf({ a: { dtype: "F4", shape: [3], data_offsets: [0, 2] } }, 2),
      "12 bits, which is no whole number of bytes",
    ],
    ["a hole", fileOf({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), "ends at 4: a hole"],
    ["data that begins late", fileOf({ a: f32([1], 4, 8) }, 8), "ends at 0: a hole"],
    ["an overlap", fileOf({ a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8), "ends at 8: an overlap"],
    ["the same bytes twice", fileOf({ a: f32([1], 0, 4), b: f32([1], 0, 4) }, 4), "an overlap"],
    [
      "offsets that run backwards",
      fileOf({ a: f32([0], 0, 0), b: { dtype: "F32", shape: [1], data_offsets: [0, -4] } }, 0),
      "wanted whole numbers",
    ],
    ["an end before its begin", fileOf({ a: f32([1], 0, 4), b: f32([1], 4, 0) }, 4), "end before they begin"],
    ["data cut off", fileOf({ a: f32([2], 0, 8) }, 7), "it is truncated, download it again"],
    ["data left over", fileOf({ a: f32([2], 0, 8) }, 9), "the rest belongs to no tensor"],
    ["nesting", header('{"a":'.repeat(50_000)), 'an unknown field "a"'],
    ["a bare control character", header('{"a\n":1}'), "bare control character"],
    ["a bad escape", header('{"\\x":1}'), "an escape that JSON does not know"],
    ["text without an end", header('{"a'), "no closing quote"],
  ];
  it.each(cases)("%s", async (_name, bytes, message) => {
    const problem = await problemOf(bytes);
    expect(problem).toContain("m.safetensors: ");
    expect(problem).toContain(message);
  });

  it("names the tensor with both numbers, in text and as data", async () => {
    const bytes = fileOf({ wq: f32([64, 32], 0, 4096) }, 4096);
    await expect(opened(bytes)).rejects.toMatchObject({
      message: 'm.safetensors: tensor "wq" is F32 [64,32], 8192 bytes, but its offsets 0..4096 span 4096',
      file: "m.safetensors",
      tensor: "wq",
    });
  });

  it("refuses a header that is not UTF-8", async () => {
    const bytes = fileOf('{"?":1}', 0);
    bytes[10] = 0xff;
    expect(await problemOf(bytes)).toContain("not UTF-8");
  });

  it("recognises what is often there instead of weights", async () => {
    expect(await problemOf(text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"))).toContain(
      "Git LFS pointer",
    );
    expect(await problemOf(text("<!DOCTYPE html><html></html>"))).toContain("HTML page");
    expect(await problemOf(text("\n\n<html><body></body></html>"))).toContain("HTML page");
    expect(await problemOf(text("GGUF\u0003\0\0\0................"))).toContain("GGUF");
    expect(await problemOf(text("PK\u0003\u0004................"))).toContain("pickled PyTorch");
  });

  it("names a tensor that is not there, a part that is none, a BOOL that is neither", async () => {
    const file = await opened(fileOf({ a: { dtype: "BOOL", shape: [2], data_offsets: [0, 2] } }, 2).fill(2, -1));
    await expect(file.readBytes("b")).rejects.toThrow('has no tensor "b" among its 1');
    await expect(file.readBytes("a", { begin: 1, end: 3 })).rejects.toThrow("has 2 bytes; 1..3 is no part");
    await expect(file.readTensor("a")).rejects.toThrow("holds the byte 2; wanted 0 or 1");
  });
});

const values: Partial<Record<Dtype, (n: number) => fc.Arbitrary<TensorToWrite["values"]>>> = {
  F32: (n) => fc.float32Array({ minLength: n, maxLength: n }),
  F64: (n) => fc.float64Array({ minLength: n, maxLength: n }),
  F16: (n) => fc.uint16Array({ minLength: n, maxLength: n }),
  BF16: (n) => fc.uint16Array({ minLength: n, maxLength: n }),
  I8: (n) => fc.int8Array({ minLength: n, maxLength: n }),
  U8: (n) => fc.uint8Array({ minLength: n, maxLength: n }),
  I16: (n) => fc.int16Array({ minLength: n, maxLength: n }),
  U16: (n) => fc.uint16Array({ minLength: n, maxLength: n }),
  I32: (n) => fc.int32Array({ minLength: n, maxLength: n }),
  U32: (n) => fc.uint32Array({ minLength: n, maxLength: n }),
  I64: (n) => fc.bigInt64Array({ minLength: n, maxLength: n }),
  U64: (n) => fc.bigUint64Array({ minLength: n, maxLength: n }),
};
const tensor: fc.Arbitrary<TensorToWrite> = fc
  .tuple(
    fc.string({ unit: "binary", maxLength: 12 }).filter((name) => name !== "__metadata__" && name.isWellFormed()),
    fc.constantFrom(...(Object.keys(values) as Dtype[])),
    fc.array(fc.nat({ max: 4 }), { maxLength: 3 }),
  )
  .chain(([name, dtype, shape]) => {
    const make = values[dtype];
    if (make === undefined) throw new Error(dtype);
    return make(shape.reduce((a, b) => a * b, 1)).map((v) => ({ name, dtype, shape, values: v }));
  });
const tensors = fc.uniqueArray(tensor, { selector: (t) => t.name, maxLength: 8 });

describe("writing and reading", () => {
  it("gives back what was written", async () => {
    const metadata = fc.dictionary(fc.string(), fc.string());
    await fc.assert(
      fc.asyncProperty(tensors, metadata, async (written, texts) => {
        const file = await opened(writeSafetensors(written, texts));
        expect(new Map(Object.entries(texts))).toEqual(file.metadata);
        expect(file.tensors.size).toBe(written.length);
        for (const { name, dtype, shape, values: wanted } of written) {
          expect(file.tensors.get(name)).toMatchObject({ dtype, shape });
          const bytes = new Uint8Array(wanted.buffer as ArrayBuffer, wanted.byteOffset, wanted.byteLength);
          expect(Buffer.compare(await file.readBytes(name), bytes)).toBe(0);
          if (dtype !== "F16" && dtype !== "BF16") expect((await file.readTensor(name)).values).toEqual(wanted);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("agrees with an independent reader (npm safetensors)", async () => {
    const { SafeTensor } = createRequire(import.meta.url)("safetensors") as {
      SafeTensor: new (bytes: Uint8Array) => {
        metadata: Map<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
        getTensor(name: string): Uint8Array;
      };
    };
    // That reader takes a file for a plain object: names that objects treat differently are not for it.
    const plain = tensors.map((list) => list.filter((t) => t.name !== "__proto__"));
    await fc.assert(
      fc.asyncProperty(plain, async (written) => {
        const bytes = writeSafetensors(written);
        const theirs = new SafeTensor(bytes);
        const ours = await opened(bytes);
        expect([...theirs.metadata.keys()].sort()).toEqual([...ours.tensors.keys()].sort());
        for (const [name, info] of ours.tensors) {
          expect(theirs.metadata.get(name)).toEqual({
            dtype: info.dtype,
            shape: info.shape,
            data_offsets: [info.begin, info.end],
          });
          expect(Buffer.compare(theirs.getTensor(name), await ours.readBytes(name))).toBe(0);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("aligns every tensor to its element's size and writes the same bytes for any order", () => {
    const list: TensorToWrite[] = [
      { name: "u", dtype: "U8", shape: [3], values: Uint8Array.of(1, 2, 3) },
      { name: "d", dtype: "F64", shape: [1], values: Float64Array.of(1) },
      { name: "h", dtype: "F16", shape: [1], values: Float32Array.of(1) },
      { name: "f", dtype: "F32", shape: [1], values: Float32Array.of(1) },
    ];
    expect(writeSafetensors(list)).toEqual(writeSafetensors(list.toReversed()));
    const bytes = writeSafetensors(list);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
      string,
      { data_offsets: number[] }
    >;
    expect(Object.entries(header).map(([name, t]) => [name, t.data_offsets[0]])).toEqual([
      ["d", 0],
      ["f", 8],
      ["h", 12],
      ["u", 14],
    ]);
  });

  it("rounds float32 to F16 and BF16 when told to", async () => {
    const x = Float32Array.of(1, 1.001, -65_504);
    const file = await opened(
      writeSafetensors([
        { name: "h", dtype: "F16", shape: [3], values: x },
        { name: "b", dtype: "BF16", shape: [3], values: x },
      ]),
    );
    expect([...(await file.readTensor("h")).values]).toEqual([1, 1.0009765625, -65_504]);
    expect([...(await file.readTensor("b")).values]).toEqual([1, 1, -65_536]);
  });

  it("does not write what it would not read", () => {
    const bad: TensorToWrite = { name: "a", dtype: "F32", shape: [3], values: Float32Array.of(1) };
    expect(() => writeSafetensors([bad])).toThrow('tensor "a" is F32 [3], 12 bytes, but its values take 4');
    const good = { ...bad, shape: [1] };
    expect(() => writeSafetensors([good, good])).toThrow('tensor "a" is there twice');
  });
});

const fixture = "../shared/fixtures/llama-rope3-tied-bf16/model.safetensors";
describe.skipIf(!existsSync(fixture))("a file of the reference implementation (needs ../shared)", () => {
  it("is read, and bf16 values are floats of ordinary size", async () => {
    const file = await opened(new Uint8Array(readFileSync(fixture)));
    expect(file.metadata.get("format")).toBe("pt");
    for (const name of file.tensors.keys()) {
      const { values: read, dtype } = await file.readTensor(name);
      expect(dtype).toBe("BF16");
      expect(Math.max(...Array.from(read as Float32Array, Math.abs))).toBeLessThan(10);
    }
  });
});
