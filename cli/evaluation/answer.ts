// The program in the answer of a chat model: which of its blocks of code holds the function that was asked for, or which of its lines
// where it has no blocks, and what of the prompt belongs before it.
//
// A block is what stands between fences of back-quotes or tildes, as Markdown has them; one that is never closed ends with the text.

import { lastFunction } from "./description.ts";
import { pythonProgramEnd } from "./python-lines.ts";
import type { Language } from "./language.ts";

interface Block {
  readonly language: string;
  readonly code: string;
  /** the index after the fence that closes it; undefined where none does */
  readonly end: number | undefined;
}

const fence = /^([ \t]*)(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*$/;

function* blocksOf(text: string): Generator<Block> {
  let open: { readonly margin: string; readonly mark: string; readonly language: string; begin: number } | undefined;
  for (let begin = 0; begin < text.length;) {
    const lineBreak = text.indexOf("\n", begin);
    const end = lineBreak < 0 ? text.length : lineBreak;
    const line = text.slice(begin, end).trimEnd();
    const found = fence.exec(line);
    if (open === undefined) {
      if (found !== null) {
        const [, margin = "", mark = "", language = ""] = found;
        open = { margin, mark, language: language.toLowerCase(), begin: Math.min(end + 1, text.length) };
      }
    } else if (found?.[2]?.startsWith(open.mark) && line.trim() === found[2]) {
      yield {
        language: open.language,
        code: dedented(text.slice(open.begin, begin), open.margin),
        end: Math.min(end + 1, text.length),
      };
      open = undefined;
    }
    begin = end + 1;
  }
  if (open !== undefined) {
    yield { language: open.language, code: dedented(text.slice(open.begin), open.margin), end: undefined };
  }
}

function dedented(code: string, margin: string): string {
  const unix = code.replaceAll("\r\n", "\n");
  if (margin === "") return unix;
  return unix.replaceAll(new RegExp(`^[ \\t]{1,${margin.length}}`, "gm"), "");
}

const languageNames: Readonly<Record<Language, readonly string[]>> = {
  javascript: ["javascript", "js", "jsx", "node", ""],
  python: ["python", "py", "python3", "py3", ""],
};

/** Whether code defines a function of this name. */
function defines(code: string, name: string, language: Language): boolean {
  const own = name.replaceAll("$", String.raw`\$`);
  const pattern =
    language === "python"
      ? `^[ \\t]*(?:(?:async[ \\t]+)?def[ \\t]+${own}[ \\t]*\\(|${own}[ \\t]*=(?!=))`
      : `^[ \\t]*(?:export[ \\t]+(?:default[ \\t]+)?)?(?:(?:async[ \\t]+)?function[ \\t]*\\*?[ \\t]*${own}[ \\t]*\\(|(?:(?:const|let|var)[ \\t]+)?${own}[ \\t]*=(?!=))`;
  return new RegExp(pattern, "mu").test(code);
}

/**
 * Where an answer may end: behind the first block in the language that defines the function, once the line of its fence is whole;
 * undefined until then. What a model says of its code is not waited for.
 */
export function answerEnd(text: string, name: string, language: Language): number | undefined {
  for (const { language: own, code, end } of blocksOf(text)) {
    if (end === undefined || text[end - 1] !== "\n") return undefined;
    if (languageNames[language].includes(own) && defines(code, name, language)) return end;
  }
  return undefined;
}

/** What of a prompt an answer is put behind. */
export interface AskedFor {
  readonly language: Language;
  /** the function that was asked for */
  readonly entryPoint: string;
  readonly prompt: string;
  /** the prompt begins the function, so that a mere body completes it */
  readonly hasSignature: boolean;
}

/** The program that an answer makes. Where nothing of it looks like the function, it is the prompt with the whole answer. */
export function programOfAnswer(asked: AskedFor, answer: string): string {
  const { language, entryPoint: name, prompt, hasSignature } = asked;
  const blocks = [...blocksOf(answer)].filter((block) => languageNames[language].includes(block.language));
  const chosen = blocks.findIndex(({ code }) => defines(code, name, language));
  if (chosen >= 0) {
    const { code } = blocks[chosen]!;
    const needed = blocks.slice(0, chosen).filter((block) => isNeeded(block.code, code, language));
    return wholeFunction(asked, [...needed.map((block) => block.code), code].join("\n"));
  }
  const body = blocks[0]?.code;
  if (body !== undefined) return hasSignature && isBody(body, language) ? prompt + finished(body, language) : body;
  const lines = answer.replaceAll("\r\n", "\n");
  if (defines(lines, name, language)) return wholeFunction(asked, codeLines(lines, language));
  return hasSignature ? prompt + finished(lines, language) : lines;
}

const definedNames = {
  javascript: /^(?:async\s+)?(?:function\s*\*?|class|const|let|var)\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)/gmu,
  python: /^(?:(?:async\s+)?def|class|import|from\s+\S+\s+import)\s+([\p{ID_Start}_]\p{ID_Continue}*)/gmu,
} as const;

/** Whether code uses a name that an earlier block defines. */
function isNeeded(earlier: string, code: string, language: Language): boolean {
  const words = new Set(code.match(/[\p{ID_Continue}$]+/gu));
  return [...earlier.matchAll(definedNames[language])].some(([, name]) => words.has(name!));
}

/** Code that defines the function, behind the prompt's imports and helpers. */
function wholeFunction({ language, entryPoint: name, prompt, hasSignature }: AskedFor, code: string): string {
  if (language === "python") {
    const header = [...prompt.matchAll(new RegExp(`^(?:async[ \\t]+)?def[ \\t]+${name}[ \\t]*\\(`, "gmu"))].at(
      -1,
    )?.index;
    const preamble = hasSignature ? prompt.slice(0, header ?? 0) : "";
    const kept = code.slice(0, pythonProgramEnd(code, name, true) ?? code.length);
    return preamble + (defines(kept, name, language) ? kept : code);
  }
  const own = code.replaceAll(/^export\s+(?:default\s+)?/gm, "").replaceAll(/^(?:module\.)?exports\b[^\n]*$/gm, "");
  const begin = lastFunction(prompt)?.begin ?? 0;
  const comment = prompt.lastIndexOf("/*", begin);
  const preamble = hasSignature ? prompt.slice(0, comment < 0 ? begin : comment) : "";
  const helpers = [...preamble.matchAll(definedNames.javascript)].map(([, helper]) => helper!);
  return helpers.some((helper) => defines(own, helper, language)) ? own : preamble + own;
}

/** Whether code is the inside of a function. */
function isBody(code: string, language: Language): boolean {
  if (language === "javascript") return !/^(?:(?:async\s+)?function|class)\b/m.test(code);
  const first = code.split("\n").find((line) => line.trim() !== "");
  return first !== undefined && (/^\s/.test(first) || /^(?:return|yield)\b/m.test(code));
}

/** A body as the prompt wants it: indented in Python, closed in JavaScript. */
function finished(body: string, language: Language): string {
  if (language === "python") return /^(?:[ \t]*\n)*[ \t]+\S/.test(body) ? body : body.replaceAll(/^(?=.)/gm, "    ");
  let depth = 0;
  for (const character of body.replaceAll(
    /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[^])*`|\/\/[^\n]*/g,
    "",
  ))
    depth += character === "{" ? 1 : character === "}" ? -1 : 0;
  return depth >= 0 ? `${body}\n}\n` : body;
}

/** The lines of prose and code without fences that are code: from the first that begins a definition. */
function codeLines(text: string, language: Language): string {
  const first = (
    language === "python"
      ? /^(?:import\s+\w|from\s+\S+\s+import\b|@\w|(?:async\s+)?def\s|class\s+\w+\s*[(:])/m
      : /^(?:export\s|(?:async\s+)?function\b|class\s+\w+\s*\{|(?:const|let|var)\s+\w+\s*=|\/\*\*?(?:\s|$))/m
  ).exec(text);
  const code = text.slice(first?.index ?? 0);
  if (language === "python") return code;
  const end = [...code.matchAll(/^\}[^\n]*(?:\n|$)|^[^\n]*=>[^\n{]*;[^\n]*(?:\n|$)/gm)].at(-1);
  return end === undefined ? code : code.slice(0, end.index + end[0].length);
}
