// A chat template in Jinja: parsed once, rendered for every chat. What it prints is what jinja2 prints with the settings of
// transformers; what jinja2 refuses, and what is not supported, ends in a TemplateError.

import { makeGlobals } from "./globals.ts";
import { fromHost } from "./host-values.ts";
import { Interpreter } from "./interpreter.ts";
import { withBudget } from "./limits.ts";
import { parseTemplate } from "./parser.ts";

/** A template that can be rendered. */
export interface Template {
  /**
   * The text for these variables; see {@link fromHost} for which JavaScript values they may be.
   * Throws TemplateError if the template refuses them, needs what is not supported, or does not end.
   */
  render(variables: Readonly<Record<string, unknown>>): string;
}

/** Parses a template; throws TemplateError with the line where it is wrong. @param now the time for `strftime_now` */
export function compileTemplate(
  text: string,
  { now = () => new Date() }: { readonly now?: () => Date } = {},
): Template {
  const { body, scope } = withBudget(() => parseTemplate(text));
  return {
    render: (variables) =>
      withBudget(() => {
        const all = new Map(makeGlobals(now));
        for (const [name, value] of Object.entries(variables))
          if (value !== undefined) all.set(name, fromHost(value, name));
        return new Interpreter(all).render(body, scope);
      }),
  };
}
