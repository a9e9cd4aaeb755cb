// The families by the `model_type` of config.json: what tensors are called and what config.json does not spell out. How the fields of
// config.json are read stands in loaders/config-families.ts. docs/guide/4-families.md has the recipe for a new one.

import type { ModelType } from "../../../loaders/index.ts";
import { codegen } from "./codegen.ts";
import type { Family } from "./family.ts";
import { gemma2 } from "./gemma2.ts";
import { gpt2 } from "./gpt2.ts";
import { gptBigcode } from "./gpt-bigcode.ts";
import { gptNeox } from "./gpt-neox.ts";
import { llama } from "./llama.ts";
import { phi } from "./phi.ts";
import { qwen3 } from "./qwen3.ts";
import { starcoder2 } from "./starcoder2.ts";

export const families: Readonly<Record<ModelType, Family>> = {
  llama,
  mistral: llama,
  qwen2: llama,
  qwen3,
  gpt2,
  gpt_bigcode: gptBigcode,
  starcoder2,
  codegen,
  gpt_neox: gptNeox,
  phi,
  gemma2,
};

export type { Family, QkvNames, RowRun } from "./family.ts";
