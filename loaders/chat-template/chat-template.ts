// The chat templates of a model -> the text of a chat. Which of several templates is used follows transformers: the one that is
// asked for by name, "tool_use" if there are tools, else "default".

import { FormatError, UnsupportedError } from "../errors.ts";
import { TemplateError } from "./template-error.ts";
import type { TemplateTexts } from "./template-files.ts";
import type { Template } from "./template.ts";

/** One message of a chat. Templates may read further fields. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

/** What a chat template is given besides the messages. */
export interface ChatOptions {
  /** End with the opening of the assistant's turn, so that the model answers; true by default. */
  readonly addGenerationPrompt?: boolean | undefined;
  /** The name of one of the model's templates; by default "tool_use" if there are tools and such a template, else "default". */
  readonly chatTemplate?: string | undefined;
  /** Tools, documents and whatever else the template reads. */
  readonly [variable: string]: unknown;
}

/** A model's chat templates, ready to be used. */
export interface ChatTemplates {
  /** The text of the default template; undefined if there is none. */
  readonly text: string | undefined;
  /**
   * The text of a chat as the model was trained to see it.
   * Throws {@link UnsupportedError} if the model has no such template, {@link FormatError} if the template refuses the chat.
   */
  apply(messages: readonly ChatMessage[], options?: ChatOptions): string;
}

/** What a folder says about its chats. */
export interface TemplateSource {
  /** What messages call it. */
  readonly name: string;
  readonly texts: TemplateTexts;
  /** Special tokens by role: `bos_token`, `eos_token`, ... */
  readonly roles: ReadonlyMap<string, string>;
  /** Whether the vocabulary has both marks of ChatML as tokens. */
  readonly hasChatMl: boolean;
}

/**
 * ChatML: for a vocabulary that has its two marks as tokens but comes without a template. It adds no system message of
 * its own: the caller says what the system is.
 */
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** What templates ask for although it is not given; transformers passes it as none. */
const NOTHING = { tools: null, documents: null };

/** Loads the template engine, if there is a template for it, and prepares the templates of a folder. */
export async function loadChatTemplates({ name, texts, roles, hasChatMl }: TemplateSource): Promise<ChatTemplates> {
  const known: TemplateTexts = texts.size === 0 && hasChatMl ? new Map([["default", CHATML]]) : texts;
  const engine = known.size > 0 ? await import("./template.ts") : undefined;
  const compiled = new Map<string, Template>();

  function choose(wanted: string | undefined, hasTools: boolean): string {
    if (known.size === 0) {
      throw new UnsupportedError(
        `${name}: has no chat template (in tokenizer_config.json or chat_template.jinja) and no ChatML tokens; give the prompt as text`,
      );
    }
    const names = [...known.keys()].map((one) => JSON.stringify(one)).join(", ");
    if (wanted !== undefined) {
      if (known.has(wanted)) return wanted;
      throw new UnsupportedError(`${name}: has no chat template ${JSON.stringify(wanted)}; there are ${names}`);
    }
    if (hasTools && known.has("tool_use")) return "tool_use";
    if (known.has("default")) return "default";
    throw new UnsupportedError(
      `${name}: has chat templates ${names}, none of them the default: name one as the option chatTemplate`,
    );
  }

  return {
    text: known.get("default"),
    apply(messages, { addGenerationPrompt = true, chatTemplate, ...variables } = {}) {
      const chosen = choose(chatTemplate, variables["tools"] !== undefined && variables["tools"] !== null);
      try {
        let template = compiled.get(chosen);
        if (template === undefined) compiled.set(chosen, (template = engine!.compileTemplate(known.get(chosen)!)));
        const special = Object.fromEntries(roles);
        const given = { ...NOTHING, ...special, ...variables };
        return template.render({ ...given, messages, add_generation_prompt: addGenerationPrompt });
      } catch (cause) {
        if (!(cause instanceof TemplateError)) throw cause;
        const reason = `${cause.message}${cause.line === undefined ? "" : ` (line ${cause.line})`}`;
        const file = chosen === "default" ? "its chat template" : `its chat template ${JSON.stringify(chosen)}`;
        if (cause.isUnsupported) throw new UnsupportedError(`${name}: ${file} cannot be used: ${reason}`, { cause });
        throw new FormatError(name, `${file} failed: ${reason}`, { cause });
      }
    },
  };
}
