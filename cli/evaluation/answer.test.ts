import { array, assert as check, constantFrom, nat, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { answerEnd, programOfAnswer, type AskedFor } from "./answer.ts";

const python: AskedFor = {
  language: "python",
  entryPoint: "f",
  prompt: 'import math\n\ndef h(x):\n    return x\n\ndef f(x):\n    """Double."""\n',
  hasSignature: true,
};
const preamble = "import math\n\ndef h(x):\n    return x\n\n";
const described: AskedFor = {
  ...python,
  prompt: '"""\nDouble.\nassert f(1) == 2\n"""\n',
  hasSignature: false,
};
const script: AskedFor = {
  language: "javascript",
  entryPoint: "f",
  prompt: "/* Help. */\nconst h = (x) => {\n  return x;\n}\n\n/* Double. */\nconst f = (x) => {\n",
  hasSignature: true,
};
const helper = "/* Help. */\nconst h = (x) => {\n  return x;\n}\n\n";
const fenced = (code: string, language = ""): string => `\`\`\`${language}\n${code}\`\`\`\n`;
const def = "def f(x):\n    return 2 * x\n";
const arrow = "const f = (x) => {\n  return 2 * x;\n}\n";

describe("the program of an answer in Python", () => {
  it.each<[string, string, string]>([
    ["a block", `Sure!\n\n${fenced(def, "python")}\nIt doubles.`, preamble + def],
    ["a block of no language", fenced(def), preamble + def],
    ["a block of another name for the language", fenced(def, "py"), preamble + def],
    [
      "a block in a list",
      "1. So:\n   ```Python\n   def f(x):\n       return x\n   ```\n",
      `${preamble}def f(x):\n    return x\n`,
    ],
    ["a block between tildes", `~~~python\n${def}~~~\n`, preamble + def],
    ["a block with a fence in it", `\`\`\`\`python\n${def}\`\`\`\`\n`, preamble + def],
    ["a block that is never closed", `Here:\n\`\`\`python\n${def}`, preamble + def],
    ["a block with CRLF", fenced(def, "python").replaceAll("\n", "\r\n"), preamble + def],
    [
      "blocks of which another is the function",
      `${fenced("f(1)\n", "python")}or\n${fenced(def, "python")}`,
      preamble + def,
    ],
    ["blocks of which another has the language", `${fenced("f(1)\n", "bash")}${fenced(def, "python")}`, preamble + def],
    [
      "blocks that repeat it",
      `${fenced(def, "python")}or\n${fenced("def f(x):\n    return 0\n", "python")}`,
      preamble + def,
    ],
    [
      "blocks that need each other",
      `${fenced("def g(x):\n    return x\n", "python")}then\n${fenced("def f(x):\n    return g(x)\n", "python")}`,
      `${preamble}def g(x):\n    return x\n\ndef f(x):\n    return g(x)\n`,
    ],
    [
      "a block with tests",
      fenced(`from typing import List\n${def}\n# Test it.\nassert f(1) == 2\nprint(f(1))\n`, "python"),
      `${preamble}from typing import List\n${def}`,
    ],
    ["a block with a docstring", fenced(`"""Docs."""\n${def}`, "python"), `${preamble}"""Docs."""\n${def}`],
    ["a body", fenced("    return 2 * x\n", "python"), `${python.prompt}    return 2 * x\n`],
    [
      "a body at the margin",
      fenced("y = 2 * x\n\nreturn y\n", "python"),
      `${python.prompt}    y = 2 * x\n\n    return y\n`,
    ],
    ["a function of another name", fenced("def g(x):\n    pass\n", "python"), "def g(x):\n    pass\n"],
    ["no fence", `Sure, here it is:\n\n${def}`, preamble + def],
    ["no fence and words behind", `${def}\nThis doubles.`, preamble + def],
    ["no fence and only a body", "    return 2 * x\n", `${python.prompt}    return 2 * x\n`],
  ])("is taken from %s", (_, answer, wanted) => {
    expect(programOfAnswer(python, answer)).toBe(wanted);
  });

  it("has nothing of a prompt that only describes it", () => {
    expect(programOfAnswer(described, fenced(def, "python"))).toBe(def);
    expect(programOfAnswer(described, fenced("    return 2 * x\n"))).toBe("    return 2 * x\n");
    expect(programOfAnswer(described, "I cannot.")).toBe("I cannot.");
  });
});

describe("the program of an answer in JavaScript", () => {
  it.each<[string, string, string]>([
    ["a block", `Sure!\n\n${fenced(arrow, "javascript")}`, helper + arrow],
    ["a function", fenced("function f(x) { return 2 * x; }\n", "js"), `${helper}function f(x) { return 2 * x; }\n`],
    ["a variable", fenced("f = x => 2 * x;\n"), `${helper}f = x => 2 * x;\n`],
    ["a block that has the helpers", fenced(`${helper}${arrow}`, "js"), helper + arrow],
    ["a module", fenced(`export default ${arrow}module.exports = { f };\n`, "js"), `${helper}${arrow}\n`],
    ["an asynchronous function", fenced("export async function f(x) {}\n"), `${helper}async function f(x) {}\n`],
    ["a body", fenced("  return 2 * x;\n", "js"), `${script.prompt}  return 2 * x;\n\n}\n`],
    [
      "a body that is closed",
      fenced("  if (x) {\n    return '}';\n  }\n}\n", "js"),
      `${script.prompt}  if (x) {\n    return '}';\n  }\n}\n`,
    ],
    ["no fence", `Here it is:\n\n${arrow}\nThis doubles.`, helper + arrow],
  ])("is taken from %s", (_, answer, wanted) => {
    expect(programOfAnswer(script, answer)).toBe(wanted);
  });
});

describe("the end of an answer", () => {
  it.each<[string, string, boolean]>([
    ["the block with the function is closed", `Sure.\n${fenced(def, "python")}`, true],
    ["its fence may go on", `Sure.\n\`\`\`python\n${def}\`\`\``, false],
    ["it is open", `Sure.\n\`\`\`python\n${def}`, false],
    ["another block is closed", fenced("f(1)\n", "python"), false],
    ["a block of another language is closed", fenced(def, "text"), false],
    ["it has no block", def, false],
  ])("is known, or not, when %s", (_, text, isKnown) => {
    expect(answerEnd(text, "f", "python")).toBe(isKnown ? text.length : undefined);
    if (isKnown) expect(answerEnd(`${text}More.\n${fenced(def)}`, "f", "python")).toBe(text.length);
  });

  const parts = ["```", "\n", "python", "js", "def f(x):", "    return 1", "const f = 1", "~~~", " ", "````", "x"];
  it("is the same in pieces as at once, and the program is made of what comes before it", () => {
    check(
      property(array(constantFrom(...parts), { maxLength: 20 }), nat(), (pieces, seed) => {
        const text = pieces.join("");
        const early = answerEnd(text.slice(0, seed % (text.length + 1)), "f", "python");
        if (early !== undefined) expect(answerEnd(text, "f", "python")).toBe(early);
        const end = answerEnd(text, "f", "python");
        if (end !== undefined) expect(programOfAnswer(python, text)).toBe(programOfAnswer(python, text.slice(0, end)));
      }),
      { numRuns: 2000 },
    );
  });
});
