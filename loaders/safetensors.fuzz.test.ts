// Twenty thousand broken files: each gives a value or a FormatError, never another error, and never takes long.

import { expect, it } from "vitest";
import { bufferSource } from "./byte-source.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import { openSafetensors, writeSafetensors } from "./safetensors.ts";

/** A small generator with a fixed seed (mulberry32), so that every run breaks the same files. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const original = writeSafetensors(
  [
    { name: "model.embed", dtype: "F32", shape: [64, 8], values: Float32Array.from({ length: 512 }, (_, i) => i) },
    { name: "model.norm", dtype: "BF16", shape: [3], values: Float32Array.of(1, 2, 3) },
    { name: "model.half", dtype: "F16", shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) },
    { name: "ids", dtype: "I64", shape: [2], values: BigInt64Array.of(1n, -1n) },
    { name: "mask", dtype: "BOOL", shape: [2], values: Uint8Array.of(0, 1) },
    { name: "none", dtype: "F32", shape: [0], values: new Float32Array(0) },
  ],
  { format: "pt", note: 'a \u00e9 "quoted" \\ text' },
);

/** Pieces that mean something in a header, to be put in place of others. */
const PIECES = [
  "{",
  "}",
  "[",
  "]",
  ":",
  ",",
  '"',
  "\\",
  "\\u0000",
  "null",
  "true",
  "-1",
  "0",
  "1e9",
  "9007199254740993",
  "F32",
  "F8_E4M3",
  "data_offsets",
  "dtype",
  "shape",
  "__metadata__",
  "\u0000",
  "\ud83d\ude00",
  " ",
  "{}",
  "[]",
  '""',
  "__proto__",
  "[0,4]",
  ',"x":1',
];

function mutate(random: (below: number) => number): Uint8Array {
  let bytes: Uint8Array = original.slice();
  const headerLength = new DataView(bytes.buffer).getUint32(0, true);
  for (let changes = 1 + random(3); changes > 0 && bytes.byteLength > 0; changes--) {
    const at = random(random(2) === 0 ? Math.min(bytes.byteLength, 8 + headerLength) : bytes.byteLength);
    switch (random(8)) {
      case 0:
        bytes[at] = random(256);
        break;
      case 1:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3: {
        const other = random(bytes.byteLength);
        [bytes[at], bytes[other]] = [bytes[other] ?? 0, bytes[at] ?? 0];
        break;
      }
      case 4: {
        const lengths = [
          0,
          1,
          headerLength - 1,
          headerLength + 1,
          bytes.byteLength,
          2 ** 31,
          2 ** 32 - 1,
          random(1000),
        ];
        if (bytes.byteLength >= 8)
          new DataView(bytes.buffer).setUint32(random(4) === 0 ? 4 : 0, lengths[random(8)] ?? 0, true);
        break;
      }
      case 5:
        bytes = joined(bytes.subarray(0, at), new Uint8Array(random(20)).fill(random(256)), bytes.subarray(at));
        break;
      default:
        bytes = withHeader(bytes, random);
    }
  }
  return bytes;
}

/** Puts a meaningful piece somewhere into the header (or takes some of it out) and corrects the header's length. */
function withHeader(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  if (bytes.byteLength < 8) return bytes;
  const length = Math.min(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true), bytes.byteLength - 8);
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  // Between tokens more often than in their midst.
  const places = [...header.matchAll(/[{}[\]:,"]|\d+/g)];
  const place = places[random(Math.max(1, places.length))];
  const begin = place?.index ?? 0;
  const end = random(2) === 0 ? begin + (place?.[0].length ?? 0) : Math.min(header.length, begin + random(30));
  const changed = new TextEncoder().encode(
    header.slice(0, begin) + (PIECES[random(PIECES.length)] ?? "") + header.slice(end),
  );
  const result = joined(bytes.subarray(0, 8), changed, bytes.subarray(8 + length));
  new DataView(result.buffer).setUint32(0, changed.byteLength, true);
  return result;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

it("a broken file gives a value or a FormatError", async () => {
  const random = randomFrom(20_240_917);
  let accepted = 0;
  let refused = 0;
  const problems = new Set<string>();
  for (let i = 0; i < 20_000; i++) {
    const bytes = mutate(random);
    try {
      const file = await openSafetensors(bufferSource(bytes, "m"));
      for (const { name, shape, byteLength, begin, end } of file.tensors.values()) {
        expect(end - begin).toBe(byteLength);
        expect(end).toBeLessThanOrEqual(bytes.byteLength);
        const { values } = await file.readTensor(name);
        expect(values.length).toBe(shape.reduce((a, b) => a * b, 1));
      }
      accepted++;
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof UnsupportedError)) throw error;
      problems.add(error.message.replaceAll(/"[^"]*"|\d+/g, "#").slice(0, 40));
      refused++;
    }
  }
  // Both ends must be well trodden, and many different refusals, or the mutations are too weak to prove anything.
  expect(accepted).toBeGreaterThan(1000);
  expect(refused).toBeGreaterThan(10_000);
  expect(problems.size).toBeGreaterThan(25);
}, 20_000);

it("takes time linear in a long header of hostile text", async () => {
  const hostile = [
    `{"${"\\\\".repeat(2_000_000)}`,
    `{"a":{"shape":[${"1,".repeat(2_000_000)}`,
    `{${" ".repeat(4_000_000)}`,
    `{"__metadata__":{${Array.from({ length: 200_000 }, (_, i) => `"${i}":""`).join(",")}}`,
  ];
  for (const text of hostile) {
    const header = new TextEncoder().encode(text);
    const bytes = joined(new Uint8Array(8), header);
    new DataView(bytes.buffer).setUint32(0, header.byteLength, true);
    const begin = performance.now();
    await expect(openSafetensors(bufferSource(bytes, "m"))).rejects.toThrow(FormatError);
    expect(performance.now() - begin).toBeLessThan(3000);
  }
});
