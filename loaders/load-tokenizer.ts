// Loads a model folder's tokenizer. This file alone imports tokenizer/, and only when a tokenizer is loaded, so that a page
// downloads it then.

import type { ModelFolder } from "./model-folder.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * Loads the tokenizer of a model folder: tokenizer.json, or vocab.json and merges.txt of a known class, with
 * tokenizer_config.json and chat_template.jinja if they are there.
 */
export async function loadTokenizer(folder: ModelFolder, signal?: AbortSignal): Promise<Tokenizer> {
  const { openTokenizer } = await import("./tokenizer/open-tokenizer.ts");
  return openTokenizer(folder, signal);
}
