// Where a completion ends. Lines are those of the completion alone: prompts end with a line break. What is decided of a text holds
// for every longer text that begins with it, so that a stream can be stopped as soon as its end is known.

import { answerEnd } from "./answer.ts";
import type { Language } from "./language.ts";
import { pythonBodyEnd, pythonProgramEnd } from "./python-lines.ts";

/**
 * What a completion's last line is.
 *
 * - `line-is-brace`, `line-begins-with-brace` (JavaScript): a line that is exactly `}`, or one that begins with it, so that `};` and
 *   `} // end` count.
 * - `python-body`: the last line of the function that the prompt begins; see {@link pythonBodyEnd}.
 * - `python-program`: the last line of a function that follows the prompt's docstring, with what it needs; see {@link pythonProgramEnd}.
 * - `answer`: the fence that closes the block of code with the function, in a chat model's answer; see {@link answerEnd}.
 */
export type StopRule =
  | "line-is-brace"
  | "line-begins-with-brace"
  | "python-body"
  | { readonly kind: "python-program"; readonly entryPoint: string }
  | AnswerRule;

/** How the answer of a chat model ends. */
export interface AnswerRule {
  readonly kind: "answer";
  readonly language: Language;
  readonly entryPoint: string;
  /** the prompt begins the function, so that a mere body is an answer too */
  readonly hasSignature: boolean;
}

/**
 * Where a completion ends: the index after the line break of its last line, or undefined while that is not known. In Python it is
 * known only when the next line that does not belong has begun.
 *
 * @param isWhole no more text follows, so that a last line without a line break is a line too
 */
export function completionEnd(stop: StopRule, text: string, isWhole = false): number | undefined {
  if (stop === "python-body") return pythonBodyEnd(text);
  if (typeof stop === "object") {
    return stop.kind === "answer"
      ? answerEnd(text, stop.entryPoint, stop.language)
      : pythonProgramEnd(text, stop.entryPoint, isWhole);
  }
  for (let begin = 0; begin < text.length;) {
    const lineBreak = text.indexOf("\n", begin);
    if (lineBreak < 0 && !isWhole) return undefined;
    const end = lineBreak < 0 ? text.length : lineBreak;
    const isLast =
      stop === "line-is-brace" ? end === begin + 1 && text[begin] === "}" : text[begin] === "}" && end > begin;
    if (isLast) return lineBreak < 0 ? end : end + 1;
    if (lineBreak < 0) return undefined;
    begin = end + 1;
  }
  return undefined;
}
