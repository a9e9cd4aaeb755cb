// The chat templates of a model folder, by name, read as transformers reads them: chat_template.jinja is the one named
// "default", additional_chat_templates/NAME.jinja further ones; without such files a setting of tokenizer_config.json (or of
// the older chat_template.json), which is one template or a list of named ones.

import { FormatError } from "../errors.ts";
import { readJson, readText, type ModelFolder } from "../model-folder.ts";

/** Stops files that are no templates: real ones have at most 100 kB, in a tokenizer_config.json of a few MB. */
const MAX_TEMPLATE_BYTES = 16 * 1024 * 1024;
/** Names that are looked for where a folder cannot list its files. */
const KNOWN_NAMES = ["tool_use", "rag"] as const;
const FOLDER = "additional_chat_templates/";

/** Chat templates by name; "default" is the one that is used if no other is asked for. */
export type TemplateTexts = ReadonlyMap<string, string>;

/**
 * Reads the chat templates of a folder; empty if it has none.
 *
 * @param settings the value of tokenizer_config.json
 *
 * Throws {@link FormatError} for a setting that is neither a text nor a list of named texts.
 */
export async function readTemplates(
  folder: ModelFolder,
  settings: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): Promise<TemplateTexts> {
  const texts = new Map<string, string>();
  const add = async (name: string, file: string): Promise<void> => {
    if (await folder.has(file)) texts.set(name, await readText(folder, file, MAX_TEMPLATE_BYTES, signal));
  };
  await add("default", "chat_template.jinja");
  const listed = (await folder.list?.()) ?? [];
  const further = listed.filter((file) => file.startsWith(FOLDER) && file.endsWith(".jinja"));
  const names = new Set([...KNOWN_NAMES, ...further.map((file) => file.slice(FOLDER.length, -".jinja".length))]);
  for (const name of names) await add(name, `${FOLDER}${name}.jinja`);
  if (texts.size > 0) return texts;

  let value = settings["chat_template"];
  let file = "tokenizer_config.json";
  if ((value === undefined || value === null) && (await folder.has("chat_template.json"))) {
    file = "chat_template.json";
    const json = await readJson(folder, file, MAX_TEMPLATE_BYTES, signal);
    value = typeof json === "object" && json !== null && "chat_template" in json ? json.chat_template : undefined;
  }
  return templatesOf(file, value);
}

/** What a "chat_template" of a JSON file says. */
function templatesOf(file: string, value: unknown): TemplateTexts {
  if (value === undefined || value === null) return new Map();
  if (typeof value === "string") return new Map([["default", value]]);
  if (Array.isArray(value)) {
    return new Map(
      (value as unknown[]).map((item, i) => {
        const named = typeof item === "object" && item !== null && "name" in item && "template" in item ? item : null;
        if (typeof named?.name !== "string" || typeof named.template !== "string") {
          throw new FormatError(
            file,
            `"chat_template" is a list whose item ${i} has no "name" and "template" as texts`,
          );
        }
        return [named.name, named.template];
      }),
    );
  }
  if (typeof value === "object") {
    return new Map(
      Object.entries(value).map(([name, template]) => {
        if (typeof template === "string") return [name, template];
        throw new FormatError(file, `"chat_template" names ${JSON.stringify(name)}, which is not a text`);
      }),
    );
  }
  throw new FormatError(file, `"chat_template" is ${typeof value}; wanted a text or a list of named texts`);
}
