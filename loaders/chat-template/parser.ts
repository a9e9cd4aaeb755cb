// Tokens -> the syntax tree of a template.

import { ExpressionParser } from "./expression-parser.ts";
import { tokenize } from "./lexer.ts";
import { MAX_TEMPLATE_LENGTH } from "./limits.ts";
import { analyze } from "./scopes.ts";
import type { Expression, ForStatement, IfStatement, MacroBody, Scope, Statement, Target } from "./syntax.ts";
import { TemplateError } from "./template-error.ts";

/** Statements that Jinja has for templates in several files, which models do not have. */
const OTHER_FILES = ["extends", "include", "import", "from", "block", "autoescape"];
const RESERVED = ["true", "false", "none", "True", "False", "None"];

/** A template that can be rendered. */
export interface ParsedTemplate {
  readonly body: readonly Statement[];
  readonly scope: Scope;
}

/** Parses a template; throws {@link TemplateError} with the line where it is wrong or what is not supported. */
export function parseTemplate(text: string): ParsedTemplate {
  if (text.length > MAX_TEMPLATE_LENGTH) {
    throw new TemplateError(`it has ${text.length} characters; at most ${MAX_TEMPLATE_LENGTH} were expected`);
  }
  const body = new StatementParser(new ExpressionParser(tokenize(text))).template();
  return { body, scope: analyze(body) };
}

class StatementParser {
  readonly #tokens: ExpressionParser;
  /** Loops around this place, up to the next macro: `break` and `continue` need one. */
  #loops = 0;

  constructor(tokens: ExpressionParser) {
    this.#tokens = tokens;
  }

  template(): Statement[] {
    const body = this.#statements([]);
    if (this.#tokens.current.kind !== "end") this.#tokens.failExpected("the end");
    return body;
  }

  /** Statements up to a block tag of one of these names, whose name is then the current token. */
  #statements(ends: readonly string[]): Statement[] {
    const tokens = this.#tokens;
    const body: Statement[] = [];
    while (tokens.current.kind !== "end") {
      const { kind, text, line } = tokens.next();
      if (kind === "data") body.push({ kind: "data", text });
      else if (kind === "output") {
        body.push({ kind: "output", value: tokens.tuple(), line });
        tokens.expect("outputEnd", '"}}"');
      } else {
        if (tokens.isName(...ends)) return body;
        body.push(...tokens.nested(() => this.#statement()));
        tokens.expect("blockEnd", '"%}"');
      }
    }
    if (ends.length > 0) tokens.fail(`the template ends where ${ends.map((end) => `"${end}"`).join(" or ")} is needed`);
    return body;
  }

  /** The body of a statement, from the end of its tag; takes the ending name. */
  #body(ends: readonly string[]): { readonly body: Statement[]; readonly end: string } {
    this.#tokens.skipOperator(":");
    this.#tokens.expect("blockEnd", '"%}"');
    const body = this.#statements(ends);
    return { body, end: this.#tokens.next().text };
  }

  #statement(): Statement[] {
    const tokens = this.#tokens;
    const { text: name, line } = tokens.expect("name", "the name of a statement");
    switch (name) {
      case "for":
        return [this.#for(line)];
      case "if":
        return [this.#if(line)];
      case "set":
        return [this.#set(line)];
      case "with":
        return [this.#with(line)];
      case "print": {
        const values: Statement[] = [];
        while (tokens.current.kind !== "blockEnd") {
          if (values.length > 0) tokens.expectOperator(",");
          values.push({ kind: "output", value: tokens.expression(), line });
        }
        return values;
      }
      case "macro": {
        const macroName = this.#plainName();
        return [{ kind: "macro", name: macroName, macro: this.#macro("endmacro", this.#parameters(), line), line }];
      }
      case "call": {
        const params = tokens.isOperator("(") ? this.#parameters() : [];
        const call = tokens.expression();
        if (call.kind !== "call") return tokens.fail('"call" needs a call', line);
        return [{ kind: "callBlock", call, macro: this.#macro("endcall", params, line), line }];
      }
      case "generation":
        return [{ kind: "callBlock", call: undefined, macro: this.#macro("endgeneration", [], line), line }];
      case "filter": {
        const filter = tokens.filters(undefined, true)!;
        return [{ kind: "filterBlock", filter, body: this.#body(["endfilter"]).body, line }];
      }
      case "break":
      case "continue":
        if (this.#loops === 0) tokens.fail(`"${name}" stands outside of loops`, line);
        return [{ kind: name, line }];
      default:
        if (OTHER_FILES.includes(name)) {
          throw new TemplateError(`the statement "${name}" is not supported`, { line, isUnsupported: true });
        }
        return tokens.fail(`there is no statement "${name}"`, line);
    }
  }

  #for(line: number): ForStatement {
    const tokens = this.#tokens;
    const target = this.#target(["in"], false);
    if (!tokens.skipName("in")) tokens.failExpected('"in"');
    const iterable = tokens.tuple({ hasCondition: false, ends: ["recursive"] });
    const test = tokens.skipName("if") ? tokens.expression() : undefined;
    const isRecursive = tokens.skipName("recursive");
    this.#loops++;
    const { body, end } = this.#body(["endfor", "else"]);
    this.#loops--;
    const otherwise = end === "else" ? this.#body(["endfor"]).body : [];
    if (storesLoop(target) || [...body, ...otherwise].some(assignsLoop)) {
      tokens.fail('"loop" cannot be assigned to inside of a loop', line);
    }
    return { kind: "for", target, iterable, test, isRecursive, body, otherwise, line };
  }

  #if(line: number): IfStatement {
    const tokens = this.#tokens;
    const test = tokens.tuple({ hasCondition: false });
    const ends = ["elif", "else", "endif"];
    let { body: part, end } = this.#body(ends);
    const body = part;
    const elifs: { test: Expression; body: Statement[]; line: number }[] = [];
    while (end === "elif") {
      const elif = { line: tokens.current.line, test: tokens.tuple({ hasCondition: false }) };
      ({ body: part, end } = this.#body(ends));
      elifs.push({ ...elif, body: part });
    }
    const otherwise = end === "else" ? this.#body(["endif"]).body : [];
    return { kind: "if", test, body, elifs, otherwise, line };
  }

  #set(line: number): Statement {
    const tokens = this.#tokens;
    const target = this.#target([], true);
    if (tokens.skipOperator("=")) return { kind: "set", target, value: tokens.tuple(), line };
    const filter = tokens.filters(undefined);
    return { kind: "setBlock", target, filter, body: this.#body(["endset"]).body, line };
  }

  #with(line: number): Statement {
    const tokens = this.#tokens;
    const targets: Target[] = [];
    const values: Expression[] = [];
    while (tokens.current.kind !== "blockEnd") {
      if (targets.length > 0) tokens.expectOperator(",");
      targets.push(this.#target([], false));
      tokens.expectOperator("=");
      values.push(tokens.expression());
    }
    return { kind: "with", targets, values, body: this.#body(["endwith"]).body, line };
  }

  #macro(end: string, params: MacroBody["params"], line: number): MacroBody {
    const loops = this.#loops;
    this.#loops = 0;
    const { body } = this.#body([end]);
    this.#loops = loops;
    return { params, body, line };
  }

  #parameters(): MacroBody["params"] {
    const tokens = this.#tokens;
    const params: { name: string; fallback: Expression | undefined }[] = [];
    tokens.expectOperator("(");
    while (!tokens.isOperator(")")) {
      if (params.length > 0) tokens.expectOperator(",");
      const name = this.#plainName();
      if (params.some((param) => param.name === name)) tokens.fail(`the parameter "${name}" is there twice`);
      const fallback = tokens.skipOperator("=") ? tokens.expression() : undefined;
      if (fallback === undefined && params.at(-1)?.fallback !== undefined) {
        tokens.fail(`the parameter "${name}" without a default follows one with a default`);
      }
      params.push({ name, fallback });
    }
    tokens.expectOperator(")");
    return params;
  }

  #plainName(): string {
    const { text, line } = this.#tokens.expect("name", "a name");
    if (RESERVED.includes(text)) this.#tokens.fail(`"${text}" cannot be assigned to`, line);
    return text;
  }

  /** Names with commas between them. @param hasMembers whether `ns.name` may stand here */
  #target(ends: readonly string[], hasMembers: boolean): Target {
    const tokens = this.#tokens;
    const items: Target[] = [];
    let isTuple = false;
    while (true) {
      if (items.length > 0) tokens.expectOperator(",");
      if (tokens.isTupleEnd(ends)) break;
      items.push(this.#singleTarget(hasMembers));
      if (!tokens.isOperator(",")) break;
      isTuple = true;
    }
    if (isTuple) return { kind: "tuple", items };
    return items[0] ?? tokens.failExpected("a name");
  }

  #singleTarget(hasMembers: boolean): Target {
    const tokens = this.#tokens;
    if (tokens.skipOperator("(")) {
      const inside = this.#target([], false);
      tokens.expectOperator(")");
      return inside;
    }
    const name = this.#plainName();
    return hasMembers && tokens.skipOperator(".")
      ? { kind: "member", name, member: tokens.expectName() }
      : { kind: "name", name };
  }
}

function storesLoop(target: Target): boolean {
  return target.kind === "name" ? target.name === "loop" : target.kind === "tuple" && target.items.some(storesLoop);
}

/** Whether a statement, or one in it, assigns to "loop". */
function assignsLoop(statement: Statement): boolean {
  switch (statement.kind) {
    case "set":
      return storesLoop(statement.target);
    case "setBlock":
      return storesLoop(statement.target) || statement.body.some(assignsLoop);
    case "for":
      return [...statement.body, ...statement.otherwise].some(assignsLoop);
    case "if":
      return [...statement.body, ...statement.elifs.flatMap(({ body }) => body), ...statement.otherwise].some(
        assignsLoop,
      );
    case "with":
    case "filterBlock":
      return statement.body.some(assignsLoop);
    case "macro":
    case "callBlock":
      return statement.macro.body.some(assignsLoop);
    default:
      return false;
  }
}
