// Folders of quantized weights: what `quantizeModel` writes loads on every device as the very same numbers as quantizing at load
// gives, and what is wrong with such files is said in one sentence.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel, quantizeModel, UnsupportedError, FormatError, type Model } from "kedge";
import {
  bufferSource,
  filesFolder,
  openFolder,
  openSafetensors,
  writeSafetensors,
  type TensorToWrite,
} from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAST_DEVICES, testDevice } from "../support/devices.ts";
import { goldenPath } from "../support/goldens.ts";
import { randomTokens, tinyFiles, tinyFolder } from "../support/tiny-model.ts";

const formats = ["int8", "int4"] as const;
const folder = mkdtempSync(join(tmpdir(), "kedge-quantized-files-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function logitsOf(model: Model, count = 9): Promise<Float32Array> {
  const tokens = randomTokens(count, 3, Math.min(60, model.config.vocabSize));
  return Float32Array.from((await model.forward(tokens, { logits: "all" })).logits!.data);
}

async function withBytes(from: string, change: (weights: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) {
  const files = new Map<string, Uint8Array<ArrayBuffer>>(
    readdirSync(from).map((name) => [name, Uint8Array.from(readFileSync(join(from, name)))]),
  );
  files.set("model.safetensors", change(files.get("model.safetensors")!));
  return filesFolder(files, "changed");
}

describe.each(formats)("%s", (format) => {
  const out = join(folder, format);
  beforeAll(async () => {
    const progress: [number, number][] = [];
    const onProgress = (done: number, of: number) => void progress.push([done, of]);
    const written = await quantizeModel(tinyFolder(), out, { format, onProgress });
    expect(written).toMatchObject({ matrices: 2 + 3 * 7, copied: ["config.json"], leftOut: [] });
    expect(written.byteLength).toBeLessThan(0.4 * written.byteLengthBefore);
    const [last, of] = progress.at(-1)!;
    expect([last, of]).toEqual([written.byteLengthBefore, written.byteLengthBefore]);
  });

  test("the folder has these files and nothing else is left beside it", () => {
    expect(readdirSync(out).sort()).toEqual(["config.json", "model.safetensors"]);
    expect(readdirSync(folder).filter((name) => name.includes("unfinished"))).toEqual([]);
  });

  test("a reader of safetensors finds codes, scales and minima that stand for the weights", async () => {
    const path = join(out, "model.safetensors");
    const file = await openSafetensors(bufferSource(readFileSync(path), path));
    expect(Object.fromEntries(file.metadata)).toMatchObject({
      "kedge.quantized": format,
      "kedge.quantized.version": "1",
    });
    const name = "model.layers.1.mlp.up_proj.weight";
    const [codes, scales] = [await file.readTensor(name), await file.readTensor(`${name}.scales`)];
    expect([codes.dtype, codes.shape]).toEqual(format === "int8" ? ["I8", [72, 48]] : ["U8", [72, 24]]);
    expect([scales.dtype, scales.shape]).toEqual(["F16", [72, 2]]);
    const minima = format === "int4" ? await file.readTensor(`${name}.minima`) : undefined;
    const tiny = new Uint8Array(await tinyFiles().get("model.safetensors")!.arrayBuffer());
    const original = (await (await openSafetensors(bufferSource(tiny, "tiny"))).readTensor(name)).values;
    let largest = 0;
    for (let i = 0; i < original.length; i++) {
      const [row, column] = [Math.floor(i / 48), i % 48];
      const group = row * 2 + Math.floor(column / 32);
      const byte = Number(codes.values[format === "int8" ? i : i >> 1]!);
      const code = format === "int8" ? byte : (byte >> ((i & 1) * 4)) & 15;
      const weight = Number(scales.values[group]!) * code + Number(minima?.values[group] ?? 0);
      largest = Math.max(largest, Math.abs(weight - Number(original[i]!)));
    }
    // weights of 0.3: half a step of the largest, about four of them
    expect(largest).toBeLessThan(format === "int8" ? 0.006 : 0.12);
    expect(largest).toBeGreaterThan(0.001);
  });

  test.each(FAST_DEVICES)("loads on %s as what quantizing at load gives, bit by bit", async (name) => {
    const device = await testDevice(name);
    const [stored, made] = [
      await loadModel(out, { device }),
      await loadModel(tinyFolder(), { device, quantize: format }),
    ];
    expect(stored.quantized).toBe(format);
    expect(stored.memory().weights).toBe(made.memory().weights);
    for (const count of [1, 2, 4, 9]) expect(await logitsOf(stored, count)).toEqual(await logitsOf(made, count));
    expect(stored.notes.join()).toContain(`kept as ${format}`);
    expect(stored.notes.join()).toContain("as the files have them");
    await device.dispose();
  });

  test("loads split over several buffers, and on memory of the lead's own", async () => {
    const wide = tinyFolder({ vocab_size: 1024 }); // its embedding takes 69,632 bytes as int8
    const wideOut = join(folder, `wide-${format}`);
    await quantizeModel(wide, wideOut, { format });
    const split = await testDevice("webgpu", { webgpu: { maxBindingBytes: 49_152 } });
    const alone = await testDevice("wasm", { wasm: { shareMemory: false } });
    for (const device of [split, alone]) {
      const options = { device, contextLength: 64, chunkRows: 32 };
      const stored = await loadModel(wideOut, options);
      const made = await loadModel(wide, { ...options, quantize: format });
      expect(await logitsOf(stored)).toEqual(await logitsOf(made));
      await device.dispose();
    }
  });

  test("the same format may be asked for, another may not", async () => {
    const same = await loadModel(out, { device: "reference", quantize: format });
    expect(same.quantized).toBe(format);
    await same.dispose();
    const other = format === "int8" ? "int4" : "int8";
    const loading = loadModel(out, { device: "reference", quantize: other });
    await expect(loading).rejects.toThrow(UnsupportedError);
    await expect(loading).rejects.toThrow(`its weights are quantized to ${format} already; quantize is "${other}"`);
  });

  test("it is not quantized again", async () => {
    const again = quantizeModel(out, join(folder, "again"), { format });
    await expect(again).rejects.toThrow(`its weights are quantized to ${format} already: quantize the model that`);
    expect(existsSync(join(folder, "again"))).toBe(false);
  });

  test.each([
    ["version", "1", "2", "in version 2 of the layout; this kedge reads version 1"],
    ["version", "1", "x", 'kedge.quantized.version is "x"; wanted a number'],
    ["", format, "int3", 'quantized to "int3"; known are int8 and int4'],
  ])("metadata %s %s -> %s is refused by name", async (key, from, to, message) => {
    const changed = await withBytes(out, (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      const name = `"kedge.quantized${key === "" ? "" : `.${key}`}":"`;
      return Uint8Array.from(Buffer.from(text.replace(`${name}${from}"`, `${name}${to}"`), "latin1"));
    });
    await expect(loadModel(changed, { device: "reference" })).rejects.toThrow(message);
  });

  test("a scale that is no number is found, with its place", async () => {
    const changed = await withBytes(out, (bytes) => {
      const copy = bytes.slice();
      const length = new DataView(copy.buffer).getUint32(0, true);
      const header = JSON.parse(Buffer.from(copy.subarray(8, 8 + length)).toString()) as Record<
        string,
        { data_offsets: [number, number] }
      >;
      const at = 8 + length + header["model.layers.0.mlp.down_proj.weight.scales"]!.data_offsets[0];
      copy.set([0, 0x7c], at + 2 * 3 * 5 + 4); // row 5 of 3 groups, group 2
      return copy;
    });
    await expect(loadModel(changed, { device: "wasm", threads: 1 })).rejects.toThrow(
      'tensor "model.layers.0.mlp.down_proj.weight.scales" has an infinity or NaN in row 5, group 2',
    );
  });
});

test("what goes wrong on the way leaves nothing behind", async () => {
  const out = join(folder, "broken");
  const files = tinyFiles();
  const bytes = new Uint8Array(await files.get("model.safetensors")!.arrayBuffer());
  const file = await openSafetensors(bufferSource(bytes, "tiny"));
  const { begin } = file.tensors.get("model.layers.2.mlp.up_proj.weight")!;
  new DataView(bytes.buffer).setFloat32(begin + 4 * (48 * 7 + 3), Number.NaN, true);
  const broken = filesFolder(new Map<string, Blob | Uint8Array>([...files, ["model.safetensors", bytes]]), "broken");
  const sentence =
    "model.layers.2.mlp.up_proj.weight: has NaN in row 7, column 3: only finite weights can be quantized";
  await expect(quantizeModel(broken, out, { format: "int8" })).rejects.toThrow(sentence);
  for (const device of ["reference", "wasm"] as const) {
    await expect(loadModel(broken, { device, threads: 1, quantize: "int4" })).rejects.toThrow(sentence);
  }
  const controller = new AbortController();
  const onProgress = () => controller.abort(new Error("enough"));
  const aborted = quantizeModel(tinyFolder(), out, { format: "int4", signal: controller.signal, onProgress });
  await expect(aborted).rejects.toThrow("enough");
  expect(readdirSync(folder).filter((name) => name.includes("broken"))).toEqual([]);
});

test("a folder that is there already is left alone", async () => {
  const writing = quantizeModel(tinyFolder(), join(folder, "int8"), { format: "int8" });
  await expect(writing).rejects.toThrow(FormatError);
  await expect(writing).rejects.toThrow("is there already; name a folder that is not");
});

test("parts that do not fit each other are named with both shapes", async () => {
  const codes = { dtype: "I8", shape: [67, 48], values: new Int8Array(67 * 48) } as const;
  const name = "model.embed_tokens.weight";
  const metadata = { "kedge.quantized": "int8", "kedge.quantized.version": "1" };
  const load = async (...tensors: TensorToWrite[]) => {
    const weights = writeSafetensors([{ name, ...codes }, ...tensors], metadata);
    const files = new Map<string, Blob | Uint8Array>([...tinyFiles(), ["model.safetensors", weights]]);
    return loadModel(filesFolder(files), { device: "reference" });
  };
  await expect(load()).rejects.toThrow(`tensor "${name}" is int8 but has no "${name}.scales" F16 [67,2]`);
  const scales = { name: `${name}.scales`, dtype: "F16", shape: [67, 3], values: new Float32Array(201) } as const;
  await expect(load(scales)).rejects.toThrow(
    `tensor "${name}.scales" is F16 [67,3], but a matrix [67,48] of int8, which config.json calls for, wants F16 [67,2]`,
  );
});

test("files broken at random give a model or one sentence", async () => {
  let [loaded, refused] = [0, 0];
  let state = 12_345;
  const random = (below: number) => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % below;
  const device = await testDevice("reference");
  for (let i = 0; i < 150; i++) {
    const changed = await withBytes(join(folder, i % 2 === 0 ? "int8" : "int4"), (bytes) => {
      const copy = bytes.slice(0, random(4) === 0 ? random(bytes.length) : bytes.length);
      const header = 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
      for (let changes = 1 + random(3); changes > 0; changes--) {
        const at = random(random(2) === 0 ? Math.min(copy.length, header) : copy.length);
        copy[at] = copy[at]! ^ (1 << random(8));
      }
      return copy;
    });
    try {
      const model = await loadModel(changed, { device });
      await model.dispose();
      loaded++;
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof UnsupportedError)) throw error;
      expect(error.message.split("\n")).toHaveLength(1);
      refused++;
    }
  }
  expect(loaded).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(40);
});

const FAMILIES = ["codegen", "gemma2", "gpt2", "gpt-bigcode", "gpt-neox", "llama-sharded-f16", "phi", "qwen2", "qwen3"];
describe("families", () => {
  test.each(FAMILIES)("%s", async (name) => {
    const device = await testDevice("wasm");
    for (const format of formats) {
      const out = join(folder, `${name}-${format}`);
      await quantizeModel(openFolder(goldenPath(name)), out, { format });
      const stored = await loadModel(out, { device });
      const made = await loadModel(goldenPath(name), { device, quantize: format });
      expect(await logitsOf(stored)).toEqual(await logitsOf(made));
      await stored.dispose();
      await made.dispose();
    }
    await device.dispose();
  });
});
