// Expressions and statements of a template -> its text.

import { getAttribute, getItem } from "./attributes.ts";
import { FILTERS, TESTS } from "./filters.ts";
import { atLine, deeper, MAX_TEXT_LENGTH, spend, spendText } from "./limits.ts";
import { LoopContext } from "./loop-context.ts";
import { binary, compare, negative, positive, slice } from "./operators.ts";
import { Macro } from "./macro.ts";
import { print, quote } from "./printing.ts";
import type { CallArguments, Expression, ForStatement, MacroBody, Scope, Statement, Target } from "./syntax.ts";
import { fail } from "./template-error.ts";
import {
  Dict,
  failUndefined,
  HostObject,
  isTrue,
  iterate,
  Namespace,
  OneTimeIterator,
  orElse,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** The variables of a scope; undefined for one that has no value yet. */
class Frame {
  readonly values = new Map<string, Value | undefined>();
  readonly outer: Frame | undefined;
  constructor(outer?: Frame) {
    this.outer = outer;
  }
  find(name: string): Value | undefined {
    if (this.values.has(name)) return this.values.get(name);
    if (this.outer !== undefined) return this.outer.find(name);
    return undefined;
  }
}

type Ending = "break" | "continue" | undefined;
/** Parts of the text that is being made. */
type Output = string[];

/** Renders one chat: holds the variables that it was given. */
export class Interpreter {
  readonly #variables: ReadonlyMap<string, Value>;
  #length = 0;

  constructor(variables: ReadonlyMap<string, Value>) {
    this.#variables = variables;
  }

  render(body: readonly Statement[], scope: Scope): string {
    const output: Output = [];
    this.#run(body, this.#enter(new Frame(), scope), output);
    return output.join("");
  }

  /** Gives a scope's names their first values. */
  #enter(frame: Frame, scope: Scope): Frame {
    for (const [name, load] of scope) {
      if (load === "resolve") frame.values.set(name, this.#variables.get(name));
      else if (load === "outer") frame.values.set(name, frame.outer?.find(name));
      else if (load === "unset") frame.values.set(name, undefined);
    }
    return frame;
  }

  #write(output: Output, text: string): void {
    if (text === "") return;
    this.#length += text.length;
    if (this.#length > MAX_TEXT_LENGTH) spendText(this.#length);
    spendText(text.length);
    output.push(text);
  }

  /** A block's text, which is not written yet. */
  #capture(body: readonly Statement[], frame: Frame): { readonly text: string; readonly ending: Ending } {
    const output: Output = [];
    const ending = this.#run(body, frame, output);
    const text = output.join("");
    this.#length -= text.length;
    return { text, ending };
  }

  #run(body: readonly Statement[], frame: Frame, output: Output): Ending {
    for (const statement of body) {
      spend();
      const ending = this.#statement(statement, frame, output);
      if (ending !== undefined) return ending;
    }
    return undefined;
  }

  #statement(statement: Statement, frame: Frame, output: Output): Ending {
    if ("line" in statement) atLine(statement.line);
    switch (statement.kind) {
      case "data":
        return this.#write(output, statement.text) as undefined;
      case "output":
        return this.#write(output, print(this.#value(statement.value, frame))) as undefined;
      case "if": {
        if (isTrue(this.#value(statement.test, frame))) return this.#run(statement.body, frame, output);
        for (const elif of statement.elifs) {
          atLine(elif.line);
          if (isTrue(this.#value(elif.test, frame))) return this.#run(elif.body, frame, output);
        }
        return this.#run(statement.otherwise, frame, output);
      }
      case "for":
        return this.#for(statement, frame, output);
      case "set":
        this.#checkMembers(statement.target, frame);
        return this.#assign(statement.target, this.#value(statement.value, frame), frame) as undefined;
      case "setBlock": {
        const inner = this.#enter(new Frame(frame), statement.scope!);
        const { text, ending } = this.#capture(statement.body, inner);
        if (ending !== undefined) return ending;
        const value = statement.filter === undefined ? text : this.#filter(statement.filter, inner, text);
        return this.#assign(statement.target, value, frame) as undefined;
      }
      case "with": {
        const inner = this.#enter(new Frame(frame), statement.scope!);
        statement.targets.forEach((target, i) => this.#assign(target, this.#value(statement.values[i]!, frame), inner));
        return this.#run(statement.body, inner, output);
      }
      case "filterBlock": {
        const inner = this.#enter(new Frame(frame), statement.scope!);
        const { text, ending } = this.#capture(statement.body, inner);
        if (ending !== undefined) return ending;
        return this.#write(output, blockText(this.#filter(statement.filter, inner, text))) as undefined;
      }
      case "macro":
        frame.values.set(statement.name, this.#macro(statement.name, statement.macro, frame));
        return undefined;
      case "callBlock": {
        const caller = this.#macro(undefined, statement.macro, frame);
        const value =
          statement.call === undefined
            ? caller.call({ positional: [], named: new Map() })
            : this.#call(statement.call.callee, statement.call.args, frame, caller);
        return this.#write(output, blockText(value)) as undefined;
      }
      case "break":
      case "continue":
        return statement.kind;
      default:
        return statement satisfies never;
    }
  }

  #for(statement: ForStatement, frame: Frame, output: Output): Ending {
    const items = this.#value(statement.iterable, frame);
    if (!statement.isRecursive) return this.#loop(statement, items, 0, frame, output);
    return this.#write(output, this.#recurse(statement, items, 0, frame)) as undefined;
  }

  /** A recursive loop's text. */
  #recurse(statement: ForStatement, items: Value, depth: number, frame: Frame): string {
    return deeper(() => {
      const output: Output = [];
      this.#loop(statement, items, depth, frame, output);
      const text = output.join("");
      this.#length -= text.length;
      return text;
    });
  }

  #loop(statement: ForStatement, items: Value, depth: number, frame: Frame, output: Output): Ending {
    const { scopes, target, test, body, otherwise, isRecursive } = statement;
    const chosen = test === undefined ? items : this.#chosen(statement, test, items, frame);
    const recurse = isRecursive
      ? (inner: Value, innerDepth: number): Value => this.#recurse(statement, inner, innerDepth, frame)
      : undefined;
    const loop = new LoopContext(chosen, depth, recurse);
    const inner = new Frame(frame);
    let isEmpty = true;
    for (let next = loop.next(); next !== undefined; next = loop.next()) {
      atLine(statement.line);
      if (scopes!.usesLoop) inner.values.set("loop", loop);
      this.#assign(target, next.item, inner);
      this.#enter(inner, scopes!.body);
      const ending = this.#run(body, inner, output);
      // As in Python's translation of the template, leaving with `break` or `continue` in the first round counts as no round.
      if (ending === "break") break;
      if (ending !== "continue") isEmpty = false;
    }
    if (!isEmpty || otherwise.length === 0) return undefined;
    return this.#run(otherwise, this.#enter(new Frame(frame), scopes!.otherwise), output);
  }

  /** The items of a loop that its test lets through, looked at one by one. */
  #chosen({ target, scopes }: ForStatement, test: Expression, items: Value, frame: Frame): Value {
    const inner = this.#enter(new Frame(frame), scopes!.test);
    const evaluate = (item: Value): boolean => {
      this.#assign(target, item, inner);
      return isTrue(this.#value(test, inner));
    };
    // What the loop gets is made anew of the names: of several it is a tuple, whatever the item was.
    const kept = (one: Target): Value => {
      if (one.kind === "tuple") return new Tuple(one.items.map(kept));
      return orElse(inner.find(one.name), () => null);
    };
    const all = iterate(items);
    return new OneTimeIterator({
      *[Symbol.iterator]() {
        for (const item of all) if (evaluate(item)) yield kept(target);
      },
    });
  }

  #checkMembers(target: Target, frame: Frame): void {
    if (target.kind === "tuple") for (const item of target.items) this.#checkMembers(item, frame);
    else if (target.kind === "member" && !(frame.find(target.name) instanceof Namespace)) {
      fail(`"${target.name}" is no namespace: its "${target.member}" cannot be set`);
    }
  }

  #assign(target: Target, value: Value, frame: Frame): void {
    if (target.kind === "name") frame.values.set(target.name, value);
    else if (target.kind === "member") {
      const owner = frame.find(target.name);
      if (!(owner instanceof Namespace || owner instanceof Dict))
        fail(`"${target.name}" has no members that can be set`);
      owner.set(target.member, value);
    } else {
      const items = [...iterate(value)];
      if (items.length !== target.items.length) {
        fail(`${items.length} values are assigned to ${target.items.length} names`);
      }
      target.items.forEach((item, i) => this.#assign(item, items[i]!, frame));
    }
  }

  #macro(name: string | undefined, macro: MacroBody, frame: Frame): Macro {
    const run = (values: ReadonlyMap<string, Value>): string =>
      deeper(() => {
        const inner = new Frame(frame);
        for (const param of macro.params) inner.values.set(param.name, undefined);
        for (const [key, value] of values) inner.values.set(key, value);
        this.#enter(inner, macro.scope!);
        for (const { name: param, fallback } of macro.params) {
          if (inner.values.get(param) !== undefined) continue;
          const value =
            fallback === undefined
              ? new Undefined(`the parameter "${param}" was not given`)
              : this.#value(fallback, inner);
          inner.values.set(param, value);
        }
        return this.#capture(macro.body, inner).text;
      });
    return new Macro(name, macro, run);
  }

  #arguments(
    { positional: given, named, rest, namedRest }: CallArguments,
    frame: Frame,
    first: readonly Value[] = [],
  ): {
    positional: Value[];
    named: Map<string, Value>;
  } {
    const all = [...first, ...given.map((one) => this.#value(one, frame))];
    const byName = new Map(named.map(({ name, value }) => [name, this.#value(value, frame)]));
    if (rest !== undefined) all.push(...iterate(this.#value(rest, frame)));
    if (namedRest !== undefined) {
      const more = this.#value(namedRest, frame);
      if (!(more instanceof Dict)) fail(`"**" needs a mapping, not a ${typeName(more)}`);
      for (const [key, value] of more.entries()) {
        const name = textOf(key) ?? fail('"**" needs a mapping with texts as keys');
        if (byName.has(name)) fail(`the argument "${name}" is given twice`);
        byName.set(name, value);
      }
    }
    return { positional: all, named: byName };
  }

  #call(callee: Expression, args: CallArguments, frame: Frame, caller?: Macro): Value {
    const called = this.#value(callee, frame);
    const given = this.#arguments(args, frame);
    if (caller !== undefined) {
      if (given.named.has("caller")) fail('the argument "caller" is given twice');
      given.named.set("caller", caller);
    }
    if (called instanceof Undefined) failUndefined(called);
    const result = called instanceof HostObject ? called.call?.(given) : undefined;
    return checked(orElse(result, () => fail(`a ${typeName(called)} cannot be called`)));
  }

  /** @param block the text of the block that the filter belongs to */
  #filter(filter: Expression & { readonly kind: "filter" }, frame: Frame, block = ""): Value {
    const { input, name, args, line } = filter;
    const value =
      input === undefined
        ? block
        : input.kind === "filter"
          ? this.#filter(input, frame, block)
          : this.#value(input, frame);
    const run = FILTERS.get(name) ?? fail(`there is no filter "${name}"`);
    const given = this.#arguments(args, frame, [value]);
    atLine(line);
    return checked(run(given));
  }

  #value(expression: Expression, frame: Frame): Value {
    spend();
    switch (expression.kind) {
      case "constant":
        return expression.value;
      case "name":
        return orElse(frame.find(expression.name), () => new Undefined(`${quote(expression.name)} is not defined`));
      case "tuple":
        return new Tuple(expression.items.map((item) => this.#value(item, frame)));
      case "list":
        return expression.items.map((item) => this.#value(item, frame));
      case "dict":
        return new Dict(expression.pairs.map(([key, value]) => [this.#value(key, frame), this.#value(value, frame)]));
      case "attribute":
        return getAttribute(this.#value(expression.object, frame), expression.name);
      case "item":
        return getItem(this.#value(expression.object, frame), this.#value(expression.index, frame));
      case "slice":
        return slice(
          this.#value(expression.object, frame),
          expression.parts.map((part) => part && this.#value(part, frame)),
        );
      case "call": {
        atLine(expression.line);
        const value = this.#call(expression.callee, expression.args, frame);
        atLine(expression.line);
        return value;
      }
      case "filter":
        return this.#filter(expression, frame);
      case "test": {
        const value = this.#value(expression.input, frame);
        const test = TESTS.get(expression.name) ?? fail(`there is no test "${expression.name}"`);
        const given = this.#arguments(expression.args, frame, [value]);
        atLine(expression.line);
        return test(given);
      }
      case "not":
        return !isTrue(this.#value(expression.operand, frame));
      case "negative":
        return negative(this.#value(expression.operand, frame));
      case "positive":
        return positive(this.#value(expression.operand, frame));
      case "binary":
        return binary(expression.operator, this.#value(expression.left, frame), this.#value(expression.right, frame));
      case "and":
      case "or": {
        const left = this.#value(expression.left, frame);
        return isTrue(left) === (expression.kind === "or") ? left : this.#value(expression.right, frame);
      }
      case "compare": {
        let left = this.#value(expression.first, frame);
        for (const { operator, operand } of expression.rest) {
          const right = this.#value(operand, frame);
          if (!compare(operator, left, right)) return false;
          left = right;
        }
        return true;
      }
      case "concatenate": {
        const text = expression.parts.map((part) => print(this.#value(part, frame))).join("");
        spendText(text.length);
        return text;
      }
      case "condition": {
        if (isTrue(this.#value(expression.test, frame))) return this.#value(expression.positive, frame);
        if (expression.otherwise !== undefined) return this.#value(expression.otherwise, frame);
        return new Undefined(`the condition on line ${expression.line} is false and has no "else"`);
      }
      default:
        return expression satisfies never;
    }
  }
}

/** What a function of the library gave, if its length is allowed. */
function checked(value: Value): Value {
  const text = textOf(value);
  if (text !== undefined) spendText(text.length);
  return value;
}

/** What a filtered or called block gives is written as it is: Jinja takes texts only. */
function blockText(value: Value): string {
  return textOf(value) ?? fail(`a block gives a ${typeName(value)} where Jinja needs a text`);
}
