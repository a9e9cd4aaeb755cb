// A tiny model whose every next token is written down: what a server makes of answers can then be tested without a model that is good.
//
// It has one layer that adds nothing. Each token of a script has a number of its own in the residual stream, and the head's row of the
// next token looks at it. The chat template chooses the script by what the messages say.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensors } from "kedge/loaders";

const SHIPPED = "models/kedge-js-5m";
/** The script's end: the token with which the model ends a text. */
const END = "<|endoftext|>";
const DIM = 64;

/** The pieces of each script; one that ends in itself goes on forever. A piece occurs in one script once. */
export const SCRIPTS = {
  "<|plain|>": ["Hello", ", wide", " wörld", " :-)", END],
  "<|call|>": [
    "I will look.",
    " \n",
    "<tool_call>",
    '\n{"name": "weather", ',
    '"arguments": {"city": ',
    '"Paris"}}\n',
    "</tool_call>",
    END,
  ],
  "<|code|>": ["Sure:\n\n```js\n", "function double(x) {\n  return 2 * x;\n}\n", "```\n", "It doubles.", END],
  "<|endless|>": ["la ", "la "],
  "<|large|>": ["much ".repeat(12_000), "much ".repeat(12_000)],
} as const;

const TEMPLATE =
  "{% if tools %}Tools: {{ tools | tojson }} Call one with <tool_call>.\n{% endif %}" +
  "{% for message in messages %}{{ message.role }}: {{ message.content }}" +
  "{% for call in message.tool_calls or [] %}called {{ call.function.arguments.city }}{% endfor %}\n{% endfor %}" +
  "{% if add_generation_prompt %}{% if 'forever' in messages[-1].content %}<|endless|>" +
  "{% elif 'JavaScript' in messages[-1].content %}<|code|>{% elif 'much' in messages[-1].content %}<|large|>{% elif tools and messages[-1].role != 'tool' %}<|call|>{% else %}<|plain|>{% endif %}{% endif %}";

interface TokenizerJson {
  added_tokens: { id: number; content: string; special: boolean }[];
  readonly model: { readonly vocab: Readonly<Record<string, number>> };
}

const zeros = (rows: number, columns: number) => ({
  shape: [rows, columns],
  values: new Float32Array(rows * columns),
});

/** Writes the model's folder. `contextLength`: most tokens of prompt and answer. */
export function writeScriptedModel(folder: string, contextLength = 4096): void {
  mkdirSync(folder, { recursive: true });
  const tokenizer = JSON.parse(readFileSync(join(SHIPPED, "tokenizer.json"), "utf8")) as TokenizerJson;
  let vocabSize = Object.keys(tokenizer.model.vocab).length;
  const ids = new Map<string, number>([[END, tokenizer.model.vocab[END]!]]);
  for (const [start, pieces] of Object.entries(SCRIPTS)) {
    for (const content of [start, ...pieces]) {
      if (ids.has(content)) continue;
      const id = vocabSize++;
      ids.set(content, id);
      const rules = { single_word: false, lstrip: false, rstrip: false, normalized: false };
      tokenizer.added_tokens.push({ id, content, special: content === start, ...rules });
    }
  }
  const ranks = new Map([...ids.values()].map((id, rank) => [id, rank]));
  const embedding = new Float32Array(vocabSize * DIM);
  // Any other token ends the text.
  for (let id = 0; id < vocabSize; id++) embedding[id * DIM + (ranks.get(id) ?? ranks.get(ids.get(END)!)!)] = 1;
  const head = new Float32Array(vocabSize * DIM);
  const follow = (one: string, next: string) => (head[ids.get(next)! * DIM + ranks.get(ids.get(one)!)!] = 10);
  for (const [start, pieces] of Object.entries(SCRIPTS)) {
    for (const [i, piece] of pieces.entries()) follow(i === 0 ? start : pieces[i - 1]!, piece);
  }
  follow(END, END);
  const config = {
    model_type: "llama",
    vocab_size: vocabSize,
    hidden_size: DIM,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 32,
    intermediate_size: 64,
    max_position_embeddings: contextLength,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: false,
    hidden_act: "silu",
    eos_token_id: ids.get(END),
  };
  const ones = { shape: [DIM], values: new Float32Array(DIM).fill(1) };
  const at = "model.layers.0";
  const tensors = Object.entries({
    "model.embed_tokens.weight": { shape: [vocabSize, DIM], values: embedding },
    [`${at}.input_layernorm.weight`]: ones,
    [`${at}.self_attn.q_proj.weight`]: zeros(64, DIM),
    [`${at}.self_attn.k_proj.weight`]: zeros(32, DIM),
    [`${at}.self_attn.v_proj.weight`]: zeros(32, DIM),
    [`${at}.self_attn.o_proj.weight`]: zeros(DIM, 64),
    [`${at}.post_attention_layernorm.weight`]: ones,
    [`${at}.mlp.gate_proj.weight`]: zeros(64, DIM),
    [`${at}.mlp.up_proj.weight`]: zeros(64, DIM),
    [`${at}.mlp.down_proj.weight`]: zeros(DIM, 64),
    "model.norm.weight": ones,
    "lm_head.weight": { shape: [vocabSize, DIM], values: head },
  }).map(([name, { shape, values }]) => ({ name, dtype: "F32" as const, shape, values }));
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "model.safetensors"), writeSafetensors(tensors));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(join(folder, "tokenizer_config.json"), readFileSync(join(SHIPPED, "tokenizer_config.json")));
  writeFileSync(join(folder, "chat_template.jinja"), TEMPLATE);
}
