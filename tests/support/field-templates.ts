// Chat templates of the kinds that people have, with what jinja2 prints for them (../shared/fixtures/field).

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { filesFolder, loadTokenizer, type ChatMessage } from "../../loaders/index.ts";

interface TemplateCase {
  readonly template: string;
  readonly messages: readonly ChatMessage[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly expected: { readonly ok: string } | { readonly err: string };
}

/** How one case came out. */
export type Outcome = "right" | "refused" | "different";

/** The file has its keys sorted; templates were given them in the order in which people write them. */
const ORDER = [
  "role", "content", "type", "text", "function", "name", "description", "parameters", "properties", "required", "default",
  "minimum", "strict", "x",
]; // prettier-ignore

const rank = (key: string): number => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null || value instanceof BoxedNumber) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => rank(a) - rank(b))
      .map(([key, item]) => [key, inOrder(item)]),
  );
}

const BoxedNumber = Object(1).constructor as NumberConstructor;

/** JSON with floats as number objects: 1.0 is not 1. */
function parseWithFloats(text: string): unknown {
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (part) =>
    !part.startsWith('"') && /[.eE]/.test(part) ? `{"$float":${part}}` : part,
  );
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === "object" && value !== null && "$float" in value ? Object(value.$float) : value,
  ) as unknown;
}

/** A tokenizer of a few pieces, so that a template has a folder. */
const TOKENIZER = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: { type: "ByteLevel" },
  model: { type: "BPE", vocab: { a: 0 }, merges: [] },
};

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

async function outcomeOf({ template, messages, options, expected }: TemplateCase): Promise<Outcome> {
  const settings = { chat_template: template, bos_token: "<s>", eos_token: "</s>" };
  const tokenizer = await loadTokenizer(
    filesFolder(new Map([["tokenizer.json", encode(TOKENIZER)], ["tokenizer_config.json", encode(settings)]])), // prettier-ignore
  );
  try {
    const text = tokenizer.applyChatTemplate(inOrder(messages) as readonly ChatMessage[], {
      ...(inOrder(options) as Record<string, unknown>),
      addGenerationPrompt: false,
    });
    return "ok" in expected && text === expected.ok ? "right" : "different";
  } catch (error) {
    if (!(error instanceof Error) || !["FormatError", "UnsupportedError"].includes(error.name)) throw error;
    return "err" in expected ? "right" : "refused";
  }
}

/** Tries all templates of the file: none may print anything else than jinja2 does. */
export function testFieldTemplates(file: string): void {
  it("templates print what jinja2 prints, and refuse what it refuses", async () => {
    const cases = parseWithFloats(gunzipSync(readFileSync(file)).toString("utf8")) as Record<string, TemplateCase>;
    const outcomes = new Map<Outcome, string[]>([["right", []], ["refused", []], ["different", []]]); // prettier-ignore
    for (const [name, one] of Object.entries(cases)) outcomes.get(await outcomeOf(one))!.push(name);
    const [right, refused, different] = [...outcomes.values()].map((names) => names.length);
    console.log(`templates: ${right} right, ${refused} refused, ${different} different`);
    expect(outcomes.get("different")).toEqual([]);
    expect(outcomes.get("refused")).toEqual([]);
    expect(right).toBeGreaterThan(150);
  });
}
