import { array, assert as check, constantFrom, nat, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { completionEnd, type StopRule } from "./stop-rule.ts";

const program: StopRule = { kind: "python-program", entryPoint: "f" };

/** What is kept of a text that goes on. */
const kept = (stop: StopRule, text: string): string | undefined => {
  const end = completionEnd(stop, text);
  return end === undefined ? undefined : text.slice(0, end);
};

describe("the body of a Python function", () => {
  it.each([
    ["a function", "    return 1\n", "\n\ndef g():\n    pass\n"],
    ["a decorated function", "    return 1\n", "\n@cache\ndef g():\n    pass\n"],
    ["a print", "    return 1\n", "print(f(1))"],
    ["a check of the module's name", "    return 1\n", '\n\nif __name__ == "__main__":\n    f()\n'],
    ["a comment and code", "    return 1\n", "\n# Test it.\nf(1)"],
    ["a fence", "    return 1\n", "```\n"],
    ["another docstring", "    return 1\n", '"""\n'],
    ["one letter", "    return 1\n", "x"],
    ["a function at once", "", "def g():\n"],
    ["code after blank lines with spaces", "\n    return 1\n", "   \n\t\nx = 1\n"],
    ["code after CRLF", "    return 1\r\n", "\r\nx = 1\r\n"],
    ["code after a text at the margin", '    x = """\ndef g():\n"""\n    return x\n', "def g():\n"],
    ["code after a text that holds quotes", "    x = '''\n\"\"\"\nx\\'''\n'''\n    return x\n", "y"],
    ["code after brackets", "    return [\n1,\n]\n", "f()"],
    ["code after a bracket in a text", "    return '('  # ([{\n", "f()"],
    ["code after a joined line", "    return 1 + \\\n2\n", "f()"],
    ["code after a joined text", "    return 'a\\\nb'\n", "f()"],
    ["code after a comment that ends in a backslash", "    return 1  # \\\n", "f()"],
    ["code after a text that its line breaks", "    return 'a\n", "f()"],
    ["a function that is closed too often", "    return 1)\n", "f()"],
    ["code after a comment at the margin within the body", "    x = 1\n# so\n\n    return x\n", "f()"],
    ["code after a comment in the body", "    return 1\n    # done\n", "f()"],
    ["code after nested functions", "    def g():\n        return 1\n\n    return g()\n", "f()"],
  ])("ends before %s", (_, body, rest) => {
    expect(kept("python-body", body + rest)).toBe(body);
  });

  it.each([
    ["nothing has come", ""],
    ["the next line has not come", "    return 1\n\n"],
    ["only a comment has come", "    return 1\n# Test it."],
    ["a text is open", '    return """\ndef g():\n'],
    ["a bracket is open", "    return (\nprint\n"],
  ])("goes on while %s", (_, text) => {
    expect(kept("python-body", text)).toBeUndefined();
  });
});

describe("a whole Python function", () => {
  it.each([
    ["a print", "def f(x):\n    return x\n", "\nprint(f(1))\n"],
    ["an assertion", "def f(x):\n    return x\n", "assert f(1) == 1\n"],
    ["another docstring", "def f(x):\n    return x\n", '"""\nWrite'],
    ["a check of the module's name", "def f(x):\n    return x\n", 'if __name__ == "__main__":\n'],
    ["a function that nothing needs", "def f(x):\n    return x\n", "\n# Try.\n\n@cache\ndef g():\n    f(1)\n"],
    ["a variable that nothing needs", "def f(x):\n    return x\n", "y = f(1)\n"],
    ["the function again", "def f(x):\n    return x\n", "def f(x):\n    return x + 1\n"],
    ["a call before the function", "import os\n", "os.remove('x')\n"],
    ["a check before the function", "", "if __name__ == '__main__':\n"],
    [
      "what follows its helpers",
      "def f(x):\n    return g(x) + N\n\n@cache\ndef g(x):\n    return x\n\nN: int = 3\n",
      "def h():\n",
    ],
    [
      "what follows what prepares it",
      "import math\nfrom typing import (\nList,\n)\n\nN = 3\na, b = 1, 2\n\nclass A:\n    pass\n\ntry:\n    import x\nexcept ImportError:\n    x = None\nif N:\n    M = 1\nelse:\n    M = 2\n\nasync def g():\n    pass\n\ndef f(x):\n    return x\n",
      "N == 3\n",
    ],
    ["names of which it uses a part", "def f(x):\n    return gg(x)\n", "def g():\n"],
  ])("ends before %s", (_, code, rest) => {
    expect(kept(program, code + rest)).toBe(code);
    expect(kept(program, (code + rest).replaceAll("\n", "\r\n"))).toBe(code.replaceAll("\n", "\r\n"));
  });

  it("waits for the whole of a line at the margin, unless no more comes", () => {
    const text = "def f(x):\n    return g(x)\n\ndef g(";
    expect(completionEnd(program, text)).toBeUndefined();
    expect(completionEnd(program, text, true)).toBeUndefined();
    expect(completionEnd(program, `${text}x):\n    return x\nprint`)).toBeUndefined();
    expect(completionEnd(program, `${text}x):\n    return x\nprint`, true)).toBe(text.length + 17);
  });
});

const parts = [
  "\n",
  "    ",
  "def f(x):",
  "def g():",
  "@c",
  "#",
  '"""',
  "'",
  "\\",
  "(",
  ")",
  "f",
  "x = 1",
  "}",
  "\r\n",
  "return g",
];

describe.each<[string, StopRule]>([
  ["a brace", "line-is-brace"],
  ["a brace and more", "line-begins-with-brace"],
  ["a Python body", "python-body"],
  ["a Python program", program],
])("the end by %s", (_, stop) => {
  it("is the same in pieces as at once", () => {
    check(
      property(array(constantFrom(...parts), { maxLength: 24 }), nat(), (pieces, seed) => {
        const text = pieces.join("");
        const cut = seed % (text.length + 1);
        const early = completionEnd(stop, text.slice(0, cut));
        if (early !== undefined) {
          expect(early).toBeLessThanOrEqual(cut);
          expect(completionEnd(stop, text)).toBe(early);
        }
        const late = completionEnd(stop, text);
        if (late !== undefined) {
          expect(completionEnd(stop, text, true)).toBe(late);
          expect(completionEnd(stop, text.slice(0, late), true) ?? late).toBe(late);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
