// Tasks of the published sets as questions to a chat model: their anchors in the text that its template makes.

import { readFileSync } from "node:fs";
import { loadTokenizer, localFolder } from "kedge/loaders";
import { describe, expect, test } from "vitest";
import { askedTask } from "../../cli/evaluation/task.ts";
import { promptOfTask } from "../../cli/evaluation/task-prompt.ts";
import { parseTasks } from "../../cli/evaluation/tasks.ts";
import { anchorChat, type AnchoredMessage } from "../../engine/prompt-anchoring/chat-anchors.ts";
import { hasShared, shared, WITHOUT_SHARED } from "../support/shared.ts";

const TOKENIZER = "data/tokenizers/qwen2";

describe.each(["data/humaneval/HumanEval.jsonl.gz", "data/mbpp-plus/MbppPlus-OriginFmt.jsonl.gz"])("%s", (path) => {
  const skip = hasShared(path, TOKENIZER) ? "" : ` (${WITHOUT_SHARED})`;
  test.skipIf(skip !== "")(`is asked in one turn, with its anchors in it${skip}`, async () => {
    const tokenizer = await loadTokenizer(localFolder(shared(TOKENIZER)));
    const tasks = parseTasks(readFileSync(shared(path)), path);
    for (const task of tasks.filter((_, i) => i % 4 === 0)) {
      const { prompt, isAnchored } = promptOfTask(askedTask(task), "one", tokenizer);
      expect(isAnchored).toBe(true);
      const { text, anchors } = anchorChat(prompt.prompt as readonly AnchoredMessage[], (messages) =>
        tokenizer.applyChatTemplate(messages, {}),
      );
      const wanted = task.anchors.map(({ begin, end }) => task.prompt.slice(begin, end));
      expect(anchors.map(({ characters: { begin, end } }) => text.slice(begin, end))).toEqual(wanted);
      expect(text.split("<|im_start|>user\n")).toHaveLength(2);
      expect(text.endsWith("<|im_end|>\n<|im_start|>assistant\n")).toBe(true);
      expect(text).toContain(task.prompt);
    }
  });
});
