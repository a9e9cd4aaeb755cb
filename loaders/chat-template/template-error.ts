// Why a template cannot be used or does not render.

/** The template is wrong, refuses the chat, or needs what is not supported. The message is one sentence without the line. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  /** 1 is the first line. */
  line: number | undefined;
  /** Jinja has it and this engine has not. */
  readonly isUnsupported: boolean;

  constructor(message: string, { line, isUnsupported = false }: { line?: number; isUnsupported?: boolean } = {}) {
    super(message);
    this.line = line;
    this.isUnsupported = isUnsupported;
  }
}

/** Ends rendering: what the template does is an error in Jinja, too. */
export function fail(message: string): never {
  throw new TemplateError(message);
}

/** Ends rendering: Jinja has it and this engine has not. */
export function refuse(feature: string): never {
  throw new TemplateError(`${feature} is not supported`, { isUnsupported: true });
}
