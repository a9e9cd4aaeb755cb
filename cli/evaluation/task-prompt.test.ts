import { describe, expect, it } from "vitest";
import { askedTask, type Task } from "./task.ts";
import { promptOfTask } from "./task-prompt.ts";

/** A task whose anchors are these parts of its prompt. */
function taskOf(prompt: string, ...parts: readonly string[]): Task {
  return {
    id: "t",
    format: "humaneval",
    language: "python",
    prompt,
    anchors: parts.map((part) => ({ begin: prompt.indexOf(part), end: prompt.indexOf(part) + part.length })),
    entryPoint: "f",
    canonicalSolution: "",
    stop: "python-body",
    check: { kind: "script", source: "" },
  };
}

const special = (...tokens: readonly string[]) => ({
  specialTokenIds: new Set(tokens.keys()),
  idToToken: (id: number) => tokens[id],
});

interface Message {
  readonly role: string;
  readonly content: string;
  readonly anchors?: readonly { readonly characters: { readonly begin: number; readonly end: number } }[];
}

/** The one message of an asked task. */
function messageOf(task: Task, tokens: Parameters<typeof promptOfTask>[2] = null, isAnchored = true): Message {
  const given = promptOfTask(askedTask(task), isAnchored ? "one" : undefined, tokens);
  expect(given.isAnchored).toBe(isAnchored);
  const [message, ...others] = given.prompt.prompt as readonly Message[];
  expect(others).toEqual([]);
  return message!;
}

const prompt = 'def f(x):\n    """Double it, then add 1."""\n';

describe("a task that is continued", () => {
  it("is its own prompt", () => {
    const plain = taskOf("f <anchor>", "f");
    expect(promptOfTask(plain, undefined, null)).toEqual({ prompt: { prompt: "f <anchor>" }, isAnchored: false });
    expect(promptOfTask(taskOf("f"), "one", null)).toEqual({ prompt: { prompt: "f" }, isAnchored: false });
  });

  it("has its anchors by group, and no tags", () => {
    const [double, add] = ["Double it,", "then add 1."];
    const at = (part: string, group: string) => {
      const begin = prompt.indexOf(part);
      return { characters: { begin, end: begin + part.length }, group };
    };
    const task = taskOf(`${prompt}<anchor>`, `${double} ${add}`);
    const { prompt: given } = promptOfTask(task, "one", null);
    expect(given).toEqual({ prompt: `${prompt}\\<anchor>`, anchors: [at(`${double} ${add}`, "0")] });
    expect(promptOfTask(task, "clauses", null).prompt.anchors).toEqual([at(double, "0"), at(add, "1")]);
  });
});

describe("a task that is asked", () => {
  it("is a message with its prompt in a fence, in which its anchors are found", () => {
    const { role, content, anchors } = messageOf(taskOf(prompt, "Double it", "add 1"));
    expect(role).toBe("user");
    expect(content).toMatch(/^Complete this Python function\. /);
    expect(content.endsWith(`\n\n\`\`\`python\n${prompt}\`\`\``)).toBe(true);
    expect(anchors?.map(({ characters: { begin, end } }) => content.slice(begin, end))).toEqual(["Double it", "add 1"]);
  });

  it("says of MBPP that nothing is begun, and of JavaScript that it is that", () => {
    const mbpp: Task = { ...taskOf(prompt), stop: { kind: "python-program", entryPoint: "f" } };
    expect(messageOf(mbpp, null, false).content).toMatch(/^Write the Python function that this docstring describes\. /);
    const script: Task = { ...taskOf("// it"), language: "javascript", stop: "line-is-brace" };
    expect(messageOf(script, null, false).content).toMatch(
      /^Complete this JavaScript function\. [^]*```javascript\n\/\/ it\n```$/,
    );
  });

  it("has a fence longer than any in its prompt", () => {
    expect(messageOf(taskOf("````\n"), null, false).content).toMatch(/\n`````python\n````\n`````$/);
  });

  it("has no special tokens, and finds its anchors all the same", () => {
    const task = taskOf("a <|end|> b <|end|> word </s>.", "<|end|> b", "word");
    const { content, anchors } = messageOf(task, special("<|end|>", "</s>", ".", "<|"));
    expect(content).toContain("\na < |end|> b < |end|> word < /s>.\n");
    expect(anchors?.map(({ characters: { begin, end } }) => content.slice(begin, end))).toEqual(["< |end|> b", "word"]);
    expect(messageOf(task, special("<|other|>")).content).toContain("\na <|end|> b <|end|> word </s>.\n");
  });

  it("has tags as text: its anchors are places of the text without the escapes", () => {
    const { content, anchors } = messageOf(taskOf("<anchor> word", "word"));
    expect(content).toContain("\n\\<anchor> word\n");
    const text = content.replace("\\<", "<");
    expect(anchors?.map(({ characters: { begin, end } }) => text.slice(begin, end))).toEqual(["word"]);
    expect(messageOf(taskOf("<anchor> word"), null, false).content).toContain("\n<anchor> word\n");
  });
});
