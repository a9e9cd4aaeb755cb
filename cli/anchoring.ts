// The options of Selective Prompt Anchoring, which several verbs share.

import type { Command } from "commander";
import type { PromptAnchor, AnchoringOptions } from "kedge";
import { hasAnchorTags, parseAnchorArgument } from "kedge/anchoring";
import { number, UsageError } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** The parsed options. */
export interface AnchoringArguments {
  readonly anchoring?: number;
  readonly anchor?: readonly PromptAnchor[];
}

/** Adds --anchoring and --anchor. */
export function addAnchoring(command: Command): Command {
  return command
    .option(
      "--anchoring <w>",
      "hold on to <anchor>…</anchor> in the prompt, and to --anchor, with this strength; 1 is the plain model (default: 1.25)",
      number("--anchoring", "a number", () => true),
    )
    .option(
      "--anchor <text>",
      "hold on to every occurrence of this text; text@1.4 for a strength of its own",
      addAnchor,
    );
}

/** The anchoring that was asked for: by an option, or by tags in the prompt. Notes go to stderr. */
export function anchoringOptions(
  { anchoring: strength, anchor: anchors }: AnchoringArguments,
  prompt: string,
  terminal: Terminal,
): AnchoringOptions | undefined {
  const hasTags = hasAnchorTags(prompt);
  if (strength === undefined && anchors === undefined && !hasTags) return undefined;
  if (anchors === undefined && !hasTags) {
    throw new UsageError(
      `--anchoring ${strength} has nothing to hold on to: mark it with <anchor>…</anchor> or --anchor`,
    );
  }
  return { strength, anchors, onNote: notesOf(terminal) };
}

/** Says notes on stderr, each once: a run of several strengths or prompts has the same ones for each. */
export function notesOf(terminal: Terminal): (note: string) => void {
  const said = new Set<string>();
  return (note) => {
    if (said.has(note)) return;
    said.add(note);
    terminal.note(`note: ${note}`);
  };
}

function addAnchor(text: string, earlier: readonly PromptAnchor[] | undefined): readonly PromptAnchor[] {
  try {
    return [...(earlier ?? []), parseAnchorArgument(text)];
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--anchor: ${error.message}`, { cause: error });
    throw error;
  }
}
