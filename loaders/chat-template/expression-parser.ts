// Tokens -> expressions, with Jinja's precedence: filters and tests bind tighter than powers, `~` between `*` and `+`.

import { MAX_NESTING } from "./limits.ts";
import type { Token } from "./lexer.ts";
import type { Binary, CallArguments, CallExpression, Comparison, Expression, FilterExpression } from "./syntax.ts";
import { TemplateError } from "./template-error.ts";

const NO_ARGUMENTS: CallArguments = { positional: [], named: [], rest: undefined, namedRest: undefined };
const COMPARISONS: readonly string[] = ["==", "!=", "<", "<=", ">", ">="];
const CONSTANTS = new Map([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
]);

/** Reads expressions off a list of tokens. */
export class ExpressionParser {
  readonly #tokens: readonly Token[];
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#position]!;
  }
  get following(): Token {
    return this.#tokens[Math.min(this.#position + 1, this.#tokens.length - 1)]!;
  }
  next(): Token {
    const token = this.current;
    if (token.kind !== "end") this.#position++;
    return token;
  }
  isOperator(text: string): boolean {
    return this.current.kind === "operator" && this.current.text === text;
  }
  isName(...names: readonly string[]): boolean {
    return this.current.kind === "name" && names.includes(this.current.text);
  }
  skipOperator(text: string): boolean {
    const is = this.isOperator(text);
    if (is) this.next();
    return is;
  }
  skipName(name: string): boolean {
    const is = this.isName(name);
    if (is) this.next();
    return is;
  }
  expectOperator(text: string): Token {
    return this.isOperator(text) ? this.next() : this.failExpected(`"${text}"`);
  }
  expect(kind: Token["kind"], wanted: string): Token {
    return this.current.kind === kind ? this.next() : this.failExpected(wanted);
  }
  expectName(): string {
    return this.expect("name", "a name").text;
  }
  fail(message: string, line = this.current.line): never {
    throw new TemplateError(message, { line });
  }
  failExpected(wanted: string): never {
    const { kind, text } = this.current;
    if (kind === "end") this.fail(`the template ends where ${wanted} is needed`);
    this.fail(`${kind === "data" ? "text" : JSON.stringify(text.trim())} stands where ${wanted} is needed`);
  }
  /** Parses one level deeper. */
  nested<Result>(parse: () => Result): Result {
    if (this.#depth >= MAX_NESTING) this.fail(`it is nested more than ${MAX_NESTING} levels deep`);
    this.#depth++;
    const result = parse();
    this.#depth--;
    return result;
  }

  /** @param hasCondition whether `a if b else c` may stand here */
  expression(hasCondition = true): Expression {
    return this.nested(() => (hasCondition ? this.#condition() : this.#or()));
  }

  /** Expressions with commas between them: a tuple, or the expression itself if there is no comma. */
  tuple({
    hasCondition = true,
    isInParentheses = false,
    ends = [],
  }: {
    readonly hasCondition?: boolean;
    readonly isInParentheses?: boolean;
    readonly ends?: readonly string[];
  } = {}): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    while (true) {
      if (items.length > 0) this.expectOperator(",");
      if (this.isTupleEnd(ends)) break;
      items.push(this.expression(hasCondition));
      if (!this.isOperator(",")) break;
      isTuple = true;
    }
    if (!isTuple) {
      if (items[0] !== undefined) return items[0];
      if (!isInParentheses) this.failExpected("an expression");
    }
    return { kind: "tuple", items };
  }

  isTupleEnd(ends: readonly string[]): boolean {
    const { kind } = this.current;
    return kind === "outputEnd" || kind === "blockEnd" || this.isOperator(")") || this.isName(...ends);
  }

  #condition(): Expression {
    let result = this.#or();
    while (this.isName("if")) {
      const { line } = this.next();
      const test = this.#or();
      const otherwise = this.skipName("else") ? this.nested(() => this.#condition()) : undefined;
      result = { kind: "condition", test, positive: result, otherwise, line };
    }
    return result;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.skipName("or")) left = { kind: "or", left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.skipName("and")) left = { kind: "and", left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    if (!this.skipName("not")) return this.#compare();
    return { kind: "not", operand: this.nested(() => this.#not()) };
  }

  #compare(): Expression {
    const first = this.#sum();
    const rest: { operator: Comparison; operand: Expression }[] = [];
    while (true) {
      const { kind, text } = this.current;
      let operator: Comparison;
      if (kind === "operator" && COMPARISONS.includes(text)) operator = this.next().text as Comparison;
      else if (this.skipName("in")) operator = "in";
      else if (this.isName("not") && this.following.kind === "name" && this.following.text === "in") {
        this.next();
        this.next();
        operator = "not in";
      } else break;
      rest.push({ operator, operand: this.#sum() });
    }
    return rest.length === 0 ? first : { kind: "compare", first, rest };
  }

  #binary(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    while (this.current.kind === "operator" && operators.includes(this.current.text)) {
      const operator = this.next().text as Binary;
      left = { kind: "binary", operator, left, right: operand() };
    }
    return left;
  }
  #sum(): Expression {
    return this.#binary(["+", "-"], () => this.#concatenation());
  }
  #concatenation(): Expression {
    const parts = [this.#product()];
    while (this.skipOperator("~")) parts.push(this.#product());
    return parts.length === 1 ? parts[0]! : { kind: "concatenate", parts };
  }
  #product(): Expression {
    return this.#binary(["*", "/", "//", "%"], () => this.#binary(["**"], () => this.#unary(true)));
  }

  #unary(hasFilters: boolean): Expression {
    let result: Expression;
    if (this.isOperator("-") || this.isOperator("+")) {
      const kind = this.next().text === "-" ? "negative" : "positive";
      result = { kind, operand: this.nested(() => this.#unary(false)) };
    } else result = this.primary();
    result = this.#postfix(result);
    return hasFilters ? this.#filtered(result) : result;
  }

  primary(): Expression {
    const token = this.current;
    switch (token.kind) {
      case "name": {
        this.next();
        const constant = CONSTANTS.get(token.text);
        return constant === undefined ? { kind: "name", name: token.text } : { kind: "constant", value: constant };
      }
      case "string": {
        let value = "";
        while (this.current.kind === "string") value += this.next().text;
        return { kind: "constant", value };
      }
      case "int":
      case "float": {
        const digits = this.next().text.replaceAll("_", "");
        return { kind: "constant", value: token.kind === "int" ? BigInt(digits) : Number(digits) };
      }
      case "operator":
        if (this.skipOperator("(")) {
          const inside = this.tuple({ isInParentheses: true });
          this.expectOperator(")");
          return inside;
        }
        if (this.skipOperator("[")) return { kind: "list", items: this.#list("]", () => this.expression()) };
        if (this.skipOperator("{")) return { kind: "dict", pairs: this.#list("}", () => this.#pair()) };
        break;
      default:
    }
    return this.failExpected("an expression");
  }

  #list<Item>(closer: string, item: () => Item): Item[] {
    const items: Item[] = [];
    while (!this.isOperator(closer)) {
      if (items.length > 0) this.expectOperator(",");
      if (this.isOperator(closer)) break;
      items.push(item());
    }
    this.expectOperator(closer);
    return items;
  }
  #pair(): readonly [Expression, Expression] {
    const key = this.expression();
    if (key.kind === "list" || key.kind === "dict") this.fail(`a ${key.kind} cannot be a key`);
    this.expectOperator(":");
    return [key, this.expression()];
  }

  #postfix(start: Expression): Expression {
    let result = start;
    while (this.current.kind === "operator") {
      if (this.isOperator(".") || this.isOperator("[")) result = this.#subscript(result);
      else if (this.isOperator("(")) result = this.#call(result);
      else break;
    }
    return result;
  }

  #filtered(start: Expression): Expression {
    let result = start;
    while (true) {
      if (this.isOperator("|")) result = this.filters(result)!;
      else if (this.isName("is")) result = this.#test(result);
      else if (this.isOperator("(")) result = this.#call(result);
      else return result;
    }
  }

  #subscript(object: Expression): Expression {
    if (this.skipOperator(".")) {
      const token = this.next();
      if (token.kind === "name") return { kind: "attribute", object, name: token.text };
      if (token.kind !== "int") this.fail("a name or a number is needed after the dot", token.line);
      return { kind: "item", object, index: { kind: "constant", value: BigInt(token.text.replaceAll("_", "")) } };
    }
    this.expectOperator("[");
    const indices: Expression[] = [];
    let slice: Expression | undefined;
    while (!this.isOperator("]")) {
      if (indices.length > 0 || slice) this.expectOperator(",");
      if (slice) this.fail("a slice cannot stand with other indices");
      if (this.isOperator(":")) slice = this.#slice(object, undefined);
      else {
        const index = this.expression();
        if (this.isOperator(":")) slice = this.#slice(object, index);
        else indices.push(index);
      }
    }
    this.expectOperator("]");
    if (slice) return indices.length === 0 ? slice : this.fail("a slice cannot stand with other indices");
    return { kind: "item", object, index: indices.length === 1 ? indices[0]! : { kind: "tuple", items: indices } };
  }

  #slice(object: Expression, start: Expression | undefined): Expression {
    this.expectOperator(":");
    const isEnd = (): boolean => this.isOperator("]") || this.isOperator(",");
    const stop = this.isOperator(":") || isEnd() ? undefined : this.expression();
    const step = this.skipOperator(":") && !isEnd() ? this.expression() : undefined;
    return { kind: "slice", object, parts: [start, stop, step] };
  }

  #call(callee: Expression): CallExpression {
    const { line } = this.current;
    return { kind: "call", callee, args: this.#arguments(), line };
  }

  #arguments(): CallArguments {
    const { line } = this.expectOperator("(");
    const positional: Expression[] = [];
    const named: { name: string; value: Expression }[] = [];
    let rest: Expression | undefined;
    let namedRest: Expression | undefined;
    const ensure = (is: boolean): void => {
      if (!is) this.fail("the arguments of a call are in the wrong order", line);
    };
    let isFirst = true;
    while (!this.isOperator(")")) {
      if (!isFirst) this.expectOperator(",");
      if (this.isOperator(")")) break;
      isFirst = false;
      if (this.isOperator("*")) {
        ensure(rest === undefined && namedRest === undefined);
        this.next();
        rest = this.expression();
      } else if (this.isOperator("**")) {
        ensure(namedRest === undefined);
        this.next();
        namedRest = this.expression();
      } else if (this.current.kind === "name" && this.following.kind === "operator" && this.following.text === "=") {
        ensure(namedRest === undefined);
        const name = this.next().text;
        this.next();
        if (named.some((one) => one.name === name)) this.fail(`the argument "${name}" is given twice`, line);
        named.push({ name, value: this.expression() });
      } else {
        ensure(rest === undefined && namedRest === undefined && named.length === 0);
        positional.push(this.expression());
      }
    }
    this.expectOperator(")");
    return { positional, named, rest, namedRest };
  }

  #dottedName(): string {
    let name = this.expectName();
    while (this.skipOperator(".")) name += `.${this.expectName()}`;
    return name;
  }

  /** `|name(arguments)|...`; undefined if there is no filter. */
  filters(input: Expression | undefined, isInside = false): FilterExpression | undefined {
    let result = input;
    let isFirst = isInside;
    while (isFirst || this.isOperator("|")) {
      if (!isFirst) this.next();
      isFirst = false;
      const { line } = this.current;
      const name = this.#dottedName();
      const args = this.isOperator("(") ? this.#arguments() : NO_ARGUMENTS;
      result = { kind: "filter", input: result, name, args, line };
    }
    return result?.kind === "filter" ? result : undefined;
  }

  #test(input: Expression): Expression {
    const { line } = this.next();
    const isNegated = this.skipName("not");
    const name = this.#dottedName();
    let args = NO_ARGUMENTS;
    const { kind } = this.current;
    const startsOperand =
      ["name", "string", "int", "float"].includes(kind) || this.isOperator("[") || this.isOperator("{");
    if (this.isOperator("(")) args = this.#arguments();
    else if (startsOperand && !this.isName("else", "or", "and")) {
      if (this.isName("is")) this.fail("tests cannot be chained with several is");
      args = { ...NO_ARGUMENTS, positional: [this.#postfix(this.primary())] };
    }
    const test: Expression = { kind: "test", input, name, args, line };
    return isNegated ? { kind: "not", operand: test } : test;
  }
}
