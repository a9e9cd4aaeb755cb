// Lines of Python as far as the end of a completion depends on them: which lines begin a statement at the left margin. Strings,
// brackets and joined lines are followed; what no Python parses is taken line by line.

/** A line of text; `end` is where its line break is, or the text ends. */
interface Line {
  readonly begin: number;
  readonly end: number;
  /** the line begins a statement: no string, bracket or backslash goes on from the line before */
  readonly isStatement: boolean;
  /** its line break is there */
  readonly isComplete: boolean;
}

function* linesOf(text: string): Generator<Line> {
  let quote = "";
  let depth = 0;
  let isJoined = false;
  for (let begin = 0; begin < text.length;) {
    const lineBreak = text.indexOf("\n", begin);
    const end = lineBreak < 0 ? text.length : lineBreak;
    yield { begin, end, isStatement: quote === "" && depth === 0 && !isJoined, isComplete: lineBreak >= 0 };
    const last = text[end - 1] === "\r" ? end - 1 : end;
    isJoined = false;
    for (let at = begin; at < last; at++) {
      const character = text[at]!;
      if (character === "\\") {
        at++;
        isJoined = at === last;
      } else if (quote !== "") {
        if (!text.startsWith(quote, at)) continue;
        at += quote.length - 1;
        quote = "";
      } else if (character === "#") {
        break;
      } else if (character === '"' || character === "'") {
        const long = character.repeat(3);
        quote = text.startsWith(long, at) ? long : character;
        at += quote.length - 1;
      } else if ("([{".includes(character)) {
        depth++;
      } else if (")]}".includes(character)) {
        depth = Math.max(0, depth - 1);
      }
    }
    if (quote.length === 1 && !isJoined) quote = ""; // an error of the program's: the string ends with its line
    begin = end + 1;
  }
}

/** What a line at the left margin that begins a statement means for the text before it. */
type Verdict = "belongs" | "ends" | "unknown" | "as-the-next";

/**
 * Where the text before the first line that does not belong ends. Blank lines and comments at the margin count with the line after
 * them, so that none is left over at the end.
 */
function endOf(text: string, judge: (line: Line) => Verdict): number | undefined {
  let kept = 0;
  let isPending = false; // decorators have come, and their function has not
  for (const line of linesOf(text)) {
    const { begin, end, isStatement } = line;
    const lineEnd = Math.min(end + 1, text.length);
    const first = text[begin]!;
    if (!isStatement) {
      if (!isPending) kept = lineEnd;
    } else if (/\s/.test(first)) {
      if (!isPending && text.slice(begin, end).trim() !== "") kept = lineEnd;
    } else if (first !== "#") {
      const verdict = judge(line);
      if (verdict === "unknown") return undefined;
      if (verdict === "ends") return kept;
      isPending = verdict === "as-the-next";
      if (!isPending) kept = lineEnd;
    }
  }
  return undefined;
}

/**
 * The end of a function body that goes on from a prompt: before the first line at the left margin that is code. A comment there ends
 * nothing by itself, as in Python, nor does text at the margin within a string or brackets. Helper functions, decorators, prints and
 * `if __name__` behind the function are not part of it. bigcode-evaluation-harness stops HumanEval at `class`, `def`, `#`, `@`, `print`, `if` and
 * a fence at the margin, EvalPlus also at `import`, `from` and `assert`: this is the same end without a list, but for comments at
 * the margin inside a body, and for bodies that contain such lines in strings.
 */
export function pythonBodyEnd(text: string): number | undefined {
  return endOf(text, () => "ends");
}

const definition = /^(?:(?:async\s+)?def|class)\s+([\p{ID_Start}_]\p{ID_Continue}*)/u;
const assignment = /^([\p{ID_Start}_]\p{ID_Continue}*)(?:\s*,\s*[\p{ID_Start}_]\p{ID_Continue}*)*\s*(?::[^=]*)?=(?!=)/u;
const preparation = /^(?:import|from|try|except|else|finally|if|elif)\b(?!\s*\(?\s*__name__\b)/;

/**
 * The end of a function that is written after a docstring. Up to the function everything belongs that prepares it: imports,
 * assignments, classes, other functions, `try` and `if` around them. Behind it only definitions that the text before has
 * named, such as a helper that the function calls. Every other line of code at the margin ends the program: `assert`, `print`, calls, another
 * docstring, a fence, `if __name__`, the function once more. bigcode-evaluation-harness stops MBPP at `class`, `assert`, `"""`, `print`, `if` and a
 * fence: the same but for classes and conditions before the function, which belong here, and for functions that nothing needs,
 * which are cut here and harmless there.
 */
export function pythonProgramEnd(text: string, entryPoint: string, isWhole: boolean): number | undefined {
  let isDefined = false;
  return endOf(text, ({ begin, end, isComplete }) => {
    if (!isComplete && !isWhole) return "unknown";
    const line = text.slice(begin, end);
    if (line.startsWith("@")) return "as-the-next";
    const name = (definition.exec(line) ?? assignment.exec(line))?.[1];
    if (name === undefined) return !isDefined && preparation.test(line) ? "belongs" : "ends";
    if (!isDefined) {
      isDefined = name === entryPoint;
      return "belongs";
    }
    return name !== entryPoint && mentions(text.slice(0, begin), name) ? "belongs" : "ends";
  });
}

function mentions(text: string, name: string): boolean {
  return new RegExp(`(?<![\\p{ID_Continue}])${name}(?![\\p{ID_Continue}])`, "u").test(text);
}
