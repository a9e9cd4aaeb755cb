import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FormatError, UnsupportedError } from "../errors.ts";
import { localFolder } from "../local-folder.ts";
import { filesFolder } from "../model-folder.ts";
import { loadChatTemplates, type ChatTemplates } from "./chat-template.ts";
import { readTemplates } from "./template-files.ts";

const folderOf = (files: Readonly<Record<string, string>>): ReturnType<typeof filesFolder> =>
  filesFolder(new Map(Object.entries(files).map(([name, text]) => [name, new TextEncoder().encode(text)])), "model");

async function load(
  files: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, unknown>> = {},
  { hasChatMl = false }: { readonly hasChatMl?: boolean } = {},
): Promise<ChatTemplates> {
  const texts = await readTemplates(folderOf(files), settings);
  return loadChatTemplates({ name: "model", texts, roles: new Map([["bos_token", "<s>"]]), hasChatMl });
}

const messages = [{ role: "user", content: "Hi" }];
const named = (...names: readonly string[]): unknown => names.map((name) => ({ name, template: name.toUpperCase() }));

describe("which template is used", () => {
  it("the default, tool_use if there are tools, or the one that is named", async () => {
    const chat = await load({}, { chat_template: named("default", "tool_use", "rag") });
    expect(chat.text).toBe("DEFAULT");
    expect(chat.apply(messages)).toBe("DEFAULT");
    expect(chat.apply(messages, { tools: null })).toBe("DEFAULT");
    expect(chat.apply(messages, { tools: [] })).toBe("TOOL_USE");
    expect(chat.apply(messages, { tools: [], chatTemplate: "rag" })).toBe("RAG");
    expect(() => chat.apply(messages, { chatTemplate: "other" })).toThrow(
      'model: has no chat template "other"; there are "default", "tool_use", "rag"',
    );
  });

  it("one without a name serves tools, too", async () => {
    const chat = await load({}, { chat_template: "{{ tools }} {{ documents }}" });
    expect(chat.apply(messages)).toBe("None None");
    expect(chat.apply(messages, { tools: [{ type: "function" }] })).toBe("[{'type': 'function'}] None");
  });

  it("none by itself where no template is the default, and not ChatML", async () => {
    const chat = await load({}, { chat_template: named("tool_use") }, { hasChatMl: true });
    expect(chat.text).toBeUndefined();
    expect(() => chat.apply(messages)).toThrow(UnsupportedError);
    expect(() => chat.apply(messages)).toThrow(
      '"tool_use", none of them the default: name one as the option chatTemplate',
    );
    expect(chat.apply(messages, { tools: [] })).toBe("TOOL_USE");
  });

  it("ChatML where there is none at all but its marks are tokens", async () => {
    const chat = await load({}, {}, { hasChatMl: true });
    expect(chat.apply(messages)).toBe("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    const none = await load({});
    expect(() => none.apply(messages)).toThrow(UnsupportedError);
  });
});

describe("where templates are", () => {
  it("files go before settings, of which the older file is the last", async () => {
    const settings = { chat_template: named("default", "tool_use") };
    const files = { "chat_template.jinja": "FILE", "additional_chat_templates/rag.jinja": "FILE RAG" };
    const texts = await readTemplates(folderOf(files), settings);
    expect([...texts]).toEqual([["default", "FILE"], ["rag", "FILE RAG"]]); // prettier-ignore
    const older = await readTemplates(folderOf({ "chat_template.json": '{"chat_template":"OLD"}' }), {});
    expect([...texts.keys(), ...older]).toEqual(["default", "rag", ["default", "OLD"]]);
  });

  it("a folder's own folder of further templates, by any name", async () => {
    const path = mkdtempSync(join(tmpdir(), "kedge-templates-"));
    try {
      mkdirSync(join(path, "additional_chat_templates"));
      writeFileSync(join(path, "additional_chat_templates", "thinking.jinja"), "T");
      writeFileSync(join(path, "additional_chat_templates", "notes.txt"), "no");
      expect([...(await readTemplates(localFolder(path), {}))]).toEqual([["thinking", "T"]]);
    } finally {
      rmSync(path, { recursive: true });
    }
  });

  it.each<[setting: unknown, message: string]>([
    [5, '"chat_template" is number; wanted a text or a list of named texts'],
    [["a"], 'a list whose item 0 has no "name" and "template" as texts'],
    [{ default: 1 }, 'names "default", which is not a text'],
  ])("refuses %j", async (chat_template, message) => {
    await expect(readTemplates(folderOf({}), { chat_template })).rejects.toThrow(FormatError);
    await expect(readTemplates(folderOf({}), { chat_template })).rejects.toThrow(message);
  });
});

describe("what goes wrong", () => {
  it("says which template, why and where", async () => {
    const chat = await load({}, { chat_template: "\n{{ raise_exception('no') }}" });
    expect(() => chat.apply(messages)).toThrow(FormatError);
    expect(() => chat.apply(messages)).toThrow("model: its chat template failed: no (line 2)");
    const other = await load({}, { chat_template: [{ name: "tool_use", template: "{% include 'a' %}" }] });
    expect(() => other.apply(messages, { tools: [] })).toThrow(UnsupportedError);
    expect(() => other.apply(messages, { tools: [] })).toThrow(
      'its chat template "tool_use" cannot be used: the statement "include" is not supported (line 1)',
    );
  });

  it("is no matter of variables: what the caller gives goes before special tokens", async () => {
    const chat = await load({}, { chat_template: "{{ bos_token }}{{ extra }}{{ add_generation_prompt }}" });
    expect(chat.apply(messages, { extra: 1 })).toBe("<s>1True");
    expect(chat.apply(messages, { bos_token: "B", addGenerationPrompt: false })).toBe("BFalse");
  });
});
