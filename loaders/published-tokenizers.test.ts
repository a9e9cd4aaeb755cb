// Tokenizers as their models' folders have them, against ids and texts of Hugging Face's libraries.

import { existsSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { loadTokenizer } from "./load-tokenizer.ts";
import { localFolder } from "./local-folder.ts";
import { StreamDecoder } from "./token-decoder.ts";
import type { Tokenizer } from "./tokenizer.ts";

const shared = "../shared";
const tokens = `${shared}/fixtures/tokens.json`;

interface Case {
  readonly text: string;
  readonly ids: number[];
  readonly decoded: string;
}

describe.skipIf(!existsSync(tokens))("ids and texts of Hugging Face's own tokenizers (needs ../shared)", () => {
  const cases = existsSync(tokens) ? (JSON.parse(readFileSync(tokens, "utf8")) as Record<string, Case[]>) : {};
  const folders: Record<string, string> = {
    gpt2: `${shared}/data/tokenizers/gpt2`,
    smollm2: `${shared}/models/smollm2-135m-instruct`,
    stories260K: `${shared}/models/stories260K`,
  };
  describe.each(Object.keys(folders))("%s", (name) => {
    let tokenizer: Tokenizer;
    beforeAll(async () => {
      tokenizer = await loadTokenizer(localFolder(folders[name] ?? ""));
    });
    it.each(cases[name] ?? [])("encodes and decodes $text", ({ text, ids, decoded }) => {
      expect(tokenizer.encode(text)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(decoded);
      const decoder = new StreamDecoder(tokenizer);
      expect(ids.map((id) => decoder.push(id)).join("") + decoder.finish()).toBe(decoded);
    });
    it("has cases", () => expect(cases[name]?.length).toBeGreaterThan(10));
  });
});

const prompts = `${shared}/fixtures/smollm2-135m/prompts.json`;
describe.skipIf(!existsSync(prompts))("real chat models (needs ../shared)", () => {
  it("SmolLM2 ships no template: ChatML, and the caller says what the system is", async () => {
    const [first] = JSON.parse(readFileSync(prompts, "utf8")) as { text: string; ids: number[] }[];
    const tokenizer = await loadTokenizer(localFolder(`${shared}/models/smollm2-135m-instruct`));
    const system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
    const user = "Write a JavaScript function that returns the sum of an array of numbers.";
    const text = tokenizer.applyChatTemplate([
      { role: "system", content: system },
      { role: "user", content: user },
    ]);
    expect(text).toBe(first?.text);
    expect(tokenizer.encode(text)).toEqual(first?.ids);
  });

  it("Qwen2.5 has its template, and no tokenizer.json", async () => {
    const tokenizer = await loadTokenizer(localFolder(`${shared}/data/tokenizers/qwen2`));
    expect(tokenizer).toMatchObject({ eosTokenId: 151_645, padTokenId: 151_643, bosTokenId: null, vocabSize: 151_665 });
    const text = tokenizer.applyChatTemplate([{ role: "user", content: "Hi" }]);
    expect(text).toBe(
      "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    );
    expect(tokenizer.encode(text).slice(0, 3)).toEqual([151_644, 8948, 198]);
    expect(tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true })).toContain("user\nHi\nassistant\n");
    // Contractions in capitals, single digits and line breaks, as the class's own split has them.
    expect(tokenizer.decode(tokenizer.encode("IT'S 123\r\n\n caf\u00e9"))).toBe("IT'S 123\r\n\n caf\u00e9");
  });
});
