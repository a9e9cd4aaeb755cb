import { expect, test } from "vitest";
import { parseConfig } from "kedge/loaders";
import { chainModel } from "./chain.ts";
import { OnnxGraph } from "./graph.ts";
import { llamaModel } from "./llama.ts";
import { concatenated, float, nested, text, whole } from "./protobuf.ts";
import { toBlocks, toColumns, transposed } from "./weights.ts";

/** Fields of a message: whole numbers, or bytes; an independent reader of the wire format. */
function parse(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const list = fields.get(tag >> 3) ?? [];
    fields.set(tag >> 3, list);
    if ((tag & 7) === 0) list.push(varint());
    else {
      const length = (tag & 7) === 5 ? 4 : varint();
      list.push(bytes.subarray(at, (at += length)));
    }
  }
  return fields;
}
const string = (value: number | Uint8Array | undefined): string => new TextDecoder().decode(value as Uint8Array);
const inner = (fields: Map<number, (number | Uint8Array)[]>, field: number) =>
  (fields.get(field) ?? []).map((value) => parse(value as Uint8Array));

const nibble = (packed: Uint8Array, i: number): number => (packed[i >> 1]! >> (i % 2 === 0 ? 0 : 4)) & 15;
const cache = (prefix: string) => [0, 1].flatMap((layer) => ["key", "value"].map((one) => `${prefix}.${layer}.${one}`));

test("the wire format's own examples", () => {
  // https://protobuf.dev/programming-guides/encoding/
  expect([...concatenated(whole(1, 150))]).toEqual([0x08, 0x96, 0x01]);
  expect([...concatenated(text(2, "testing"))]).toEqual([0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
  expect([...concatenated(nested(3, whole(1, 150)))]).toEqual([0x1a, 0x03, 0x08, 0x96, 0x01]);
  expect([...concatenated(whole(1, -2))]).toEqual([0x08, 0xfe, ...Array<number>(8).fill(0xff), 0x01]);
  expect([...concatenated(float(1, 1))]).toEqual([0x0d, 0, 0, 0x80, 0x3f]);
});

test("a graph refuses names that nothing made, names made twice, and tensors that do not fit", () => {
  const graph = new OnnxGraph("g");
  graph.input("x", "f32", [1]);
  expect(() => graph.node("Mul", ["x", "y"], ["z"])).toThrow('reads "y"');
  expect(() => graph.input("x", "f32", [1])).toThrow('two values named "x"');
  expect(() => graph.tensor("w", "f32", [2, 2], new Float32Array(3))).toThrow("16 bytes, but has 12");
  expect(() => graph.output("w2", "f32", [1])).toThrow('no value "w2"');
});

test("weights transposed, in columns and in blocks decode to what they were", () => {
  const [rows, columns] = [3, 64];
  const values = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 12.9898) * (1 + (i % 7)));
  const across = transposed(values, rows, columns);
  const byColumn = toColumns(values, rows, columns);
  const blocks = toBlocks(values, rows, columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const i = row * columns + column;
      expect(across[column * rows + row]).toBe(values[i]);
      const scale8 = byColumn.scales[row]!;
      expect(Math.abs(byColumn.codes[column * rows + row]! * scale8 - values[i]!)).toBeLessThanOrEqual(scale8 * 0.51);
      const block = i >> 5;
      const zero = nibble(blocks.zeros.subarray(row), column >> 5);
      const decoded = (nibble(blocks.codes, i) - zero) * blocks.scales[block]!;
      expect(Math.abs(decoded - values[i]!)).toBeLessThanOrEqual(blocks.scales[block]! * 1.01);
    }
  }
});

test("a chain is as many products as it has matrices", () => {
  const weights = [new Float32Array(64 * 64), new Float32Array(64 * 64)];
  const [graph] = inner(parse(concatenated(chainModel(2, 64, weights, "int4"))), 7);
  expect(inner(graph!, 1).map((node) => string(node.get(4)![0]))).toEqual(["MatMulNBits", "MatMulNBits"]);
  expect(inner(graph!, 12).map((output) => string(output.get(1)![0]))).toEqual(["y"]);
});

const config = parseConfig({
  ...{ model_type: "llama", architectures: ["LlamaForCausalLM"], hidden_act: "silu", vocab_size: 40 },
  ...{ hidden_size: 64, intermediate_size: 96, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2 },
  ...{ max_position_embeddings: 32, rms_norm_eps: 1e-5, rope_theta: 10_000, tie_word_embeddings: true },
});
const sizes: Readonly<Record<string, number>> = {
  ...{ embed_tokens: 40 * 64, q_proj: 64 * 64, k_proj: 32 * 64, v_proj: 32 * 64, o_proj: 64 * 64 },
  ...{ gate_proj: 96 * 64, up_proj: 96 * 64, down_proj: 96 * 64 },
};
const read = (name: string) => Promise.resolve(new Float32Array(sizes[name.split(".").at(-2)!] ?? 64).fill(0.5));

test("a decoder has a cache in and out for each layer, and logits of the last position", async () => {
  const model = parse(concatenated(await llamaModel(config, read, { format: "f32", positions: 32 })));
  expect(inner(model, 8).map((opset) => string(opset.get(1)![0]))).toEqual(["", "com.microsoft"]);
  const [graph] = inner(model, 7);
  const names = (field: number) => inner(graph!, field).map((value) => string(value.get(1)![0]));
  expect(names(11)).toEqual(["input_ids", "attention_mask", ...cache("past_key_values")]);
  expect(names(12).sort()).toEqual(["logits", ...cache("present")].sort());
  const operators = inner(graph!, 1).map((node) => string(node.get(4)![0]));
  const count = (name: string) => operators.filter((operator) => operator === name).length;
  expect([count("GroupQueryAttention"), count("MatMul"), count("SkipSimplifiedLayerNormalization")]).toEqual([
    2, 11, 4,
  ]);
  const [attention] = inner(graph!, 1).filter((node) => string(node.get(4)![0]) === "GroupQueryAttention");
  const attributes = inner(attention!, 5).map((one) => [string(one.get(1)![0]), one.get(3)![0]]);
  expect(Object.fromEntries(attributes)).toMatchObject({ num_heads: 4, kv_num_heads: 2, do_rotary: 1 });
});

test("other families are refused", async () => {
  const other = { ...config, modelType: "qwen2" as const };
  await expect(llamaModel(other, read, { format: "f32", positions: 8 })).rejects.toThrow("this is qwen2");
});
