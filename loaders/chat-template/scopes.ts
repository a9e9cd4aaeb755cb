// Which scope a name belongs to, found before rendering as Jinja's compiler finds it. A scope has every name that is mentioned
// in it and not in one around it; on entry each gets its first value: the variable of that name ("resolve"), what the scope
// around it has at that moment ("outer"), or nothing ("unset", a name that is assigned before it is read).

import { FILTERS, TESTS } from "./filters.ts";
import type { CallArguments, Expression, Load, MacroBody, Scope, Statement, Target } from "./syntax.ts";
import { TemplateError } from "./template-error.ts";

class Symbols {
  readonly parent: Symbols | undefined;
  readonly loads = new Map<string, Load>();
  readonly stores = new Set<string>();

  constructor(parent?: Symbols) {
    this.parent = parent;
  }
  isKnown(name: string): boolean {
    return this.loads.has(name) || (this.parent?.isKnown(name) ?? false);
  }
  load(name: string): void {
    if (!this.isKnown(name)) this.loads.set(name, "resolve");
  }
  store(name: string): void {
    this.stores.add(name);
    if (!this.loads.has(name)) this.loads.set(name, this.parent?.isKnown(name) ? "outer" : "unset");
  }
  declare(name: string): void {
    this.stores.add(name);
    this.loads.set(name, "parameter");
  }
  copy(): Symbols {
    const copy = new Symbols(this.parent);
    for (const [name, load] of this.loads) copy.loads.set(name, load);
    for (const name of this.stores) copy.stores.add(name);
    return copy;
  }
  /** Takes over what the branches of an `if` store: after it a name may have its value or not. */
  join(branches: readonly Symbols[]): void {
    const stored = new Set(branches.flatMap(({ stores }) => [...stores]).filter((name) => !this.stores.has(name)));
    for (const branch of branches) {
      for (const [name, load] of branch.loads) this.loads.set(name, load);
      for (const name of branch.stores) this.stores.add(name);
    }
    for (const name of stored) this.loads.set(name, this.parent?.isKnown(name) ? "outer" : "resolve");
  }
}

/**
 * Gives every statement that has scopes its scopes, and returns the template's own.
 * Throws {@link TemplateError} for filters and tests that do not exist; inside of an `if` they fail when they are used.
 */
export function analyze(body: readonly Statement[]): Scope {
  const symbols = new Symbols();
  visitAll(body, symbols);
  descendAll(body, symbols, false);
  return symbols.loads;
}

const visitAll = (body: readonly Statement[], symbols: Symbols): void =>
  body.forEach((statement) => visit(statement, symbols));

/** The names that a statement mentions in the scope that it stands in. */
function visit(statement: Statement, symbols: Symbols): void {
  const load = (expression: Expression | undefined): void => {
    for (const name of namesOf(expression)) symbols.load(name);
  };
  switch (statement.kind) {
    case "output":
      return load(statement.value);
    case "for":
      return load(statement.iterable);
    case "if": {
      load(statement.test);
      const [body, otherwise] = [symbols.copy(), symbols.copy()];
      visitAll(statement.body, body);
      const elifs = symbols.copy();
      for (const { test, body: inside, line } of statement.elifs) {
        visit({ kind: "if", test, body: inside, elifs: [], otherwise: [], line }, elifs);
      }
      visitAll(statement.otherwise, otherwise);
      return symbols.join([body, elifs, otherwise]);
    }
    case "set":
      load(statement.value);
      return storeTarget(statement.target, symbols);
    case "setBlock":
      return storeTarget(statement.target, symbols);
    case "with":
      return statement.values.forEach(load);
    case "macro":
      return symbols.store(statement.name);
    case "callBlock":
      return load(statement.call);
    case "filterBlock":
      return load(statement.filter);
    case "data":
    case "break":
    case "continue":
      return;
    default:
      statement satisfies never;
  }
}

function storeTarget(target: Target, symbols: Symbols): void {
  for (const { name, isRead } of targetNames(target)) {
    if (isRead) symbols.load(name);
    else symbols.store(name);
  }
}

function* targetNames(target: Target): Iterable<{ readonly name: string; readonly isRead: boolean }> {
  if (target.kind === "tuple") for (const item of target.items) yield* targetNames(item);
  else yield { name: target.name, isRead: target.kind === "member" };
}

function declareTarget(target: Target, symbols: Symbols): void {
  for (const { name } of targetNames(target)) symbols.declare(name);
}

const descendAll = (body: readonly Statement[], symbols: Symbols, isSoft: boolean): void =>
  body.forEach((statement) => descend(statement, symbols, isSoft));

/** Makes the scopes inside of a statement. @param isSoft whether it stands directly in an `if` */
function descend(statement: Statement, symbols: Symbols, isSoft: boolean): void {
  const check = (expression: Expression | undefined): void => checkNames(expression, isSoft);
  const inside = (body: readonly Statement[], declare: (inner: Symbols) => void = () => undefined): Scope => {
    const inner = new Symbols(symbols);
    declare(inner);
    visitAll(body, inner);
    descendAll(body, inner, false);
    return inner.loads;
  };
  switch (statement.kind) {
    case "output":
      return check(statement.value);
    case "set":
      return check(statement.value);
    case "if":
      checkNames(statement.test, true);
      descendAll(statement.body, symbols, true);
      for (const elif of statement.elifs) {
        checkNames(elif.test, true);
        descendAll(elif.body, symbols, true);
      }
      return descendAll(statement.otherwise, symbols, true);
    case "for": {
      check(statement.iterable);
      checkNames(statement.test, false);
      const usesLoop = statement.isRecursive || undeclared(statement.body, ["loop"]).has("loop");
      statement.scopes = {
        usesLoop,
        body: inside(statement.body, (inner) => {
          if (usesLoop) inner.declare("loop");
          declareTarget(statement.target, inner);
        }),
        test: inside([], (inner) => {
          declareTarget(statement.target, inner);
          for (const name of namesOf(statement.test)) inner.load(name);
        }),
        otherwise: inside(statement.otherwise),
      };
      return;
    }
    case "setBlock":
      checkNames(statement.filter, false);
      statement.scope = inside(statement.body);
      return;
    case "with":
      statement.values.forEach(check);
      statement.scope = inside(statement.body, (inner) =>
        statement.targets.forEach((one) => declareTarget(one, inner)),
      );
      return;
    case "filterBlock":
      checkNames(statement.filter, false);
      statement.scope = inside(statement.body, () => undefined);
      // The filter's arguments belong to the block's scope.
      statement.scope = withNames(statement.scope, symbols, namesOf(statement.filter));
      return;
    case "macro":
    case "callBlock":
      if (statement.kind === "callBlock") check(statement.call);
      return descendMacro(statement.macro, inside);
    case "data":
    case "break":
    case "continue":
      return;
    default:
      statement satisfies never;
  }
}

function withNames(scope: Scope, outer: Symbols, names: Iterable<string>): Scope {
  const loads = new Map(scope);
  for (const name of names) if (!loads.has(name) && !outer.isKnown(name)) loads.set(name, "resolve");
  return loads;
}

function descendMacro(
  macro: MacroBody,
  inside: (body: readonly Statement[], declare: (inner: Symbols) => void) => Scope,
): void {
  const used = undeclared(macro.body, ["caller", "kwargs", "varargs"]);
  const names = macro.params.map(({ name }) => name);
  if (used.has("caller") && macro.params.some(({ name, fallback }) => name === "caller" && fallback === undefined)) {
    throw new TemplateError('the parameter "caller" of a macro needs a default', { line: macro.line });
  }
  const uses = {
    caller: used.has("caller"),
    kwargs: used.has("kwargs") && !names.includes("kwargs"),
    varargs: used.has("varargs") && !names.includes("varargs"),
  };
  macro.uses = uses;
  macro.scope = inside(macro.body, (inner) => {
    for (const name of names) inner.declare(name);
    for (const { fallback } of macro.params) {
      checkNames(fallback, false);
      for (const name of namesOf(fallback)) inner.load(name);
    }
    for (const name of ["caller", "kwargs", "varargs"] as const) if (uses[name]) inner.declare(name);
  });
}

function checkNames(expression: Expression | undefined, isSoft: boolean): void {
  if (expression === undefined) return;
  const isInside = isSoft || expression.kind === "condition";
  if (expression.kind === "filter" || expression.kind === "test") {
    const known: ReadonlyMap<string, unknown> = expression.kind === "filter" ? FILTERS : TESTS;
    if (!isInside && !known.has(expression.name)) {
      throw new TemplateError(`there is no ${expression.kind} "${expression.name}"`, { line: expression.line });
    }
  }
  for (const part of partsOf(expression)) checkNames(part, isInside);
}

/** Which of some names are read before they are given a value, in statements and all that is in them. */
function undeclared(body: readonly Statement[], wanted: readonly string[]): ReadonlySet<string> {
  const names = new Set(wanted);
  const found = new Set<string>();
  const read = (...expressions: readonly (Expression | undefined)[]): void => {
    for (const expression of expressions) {
      for (const name of namesOf(expression)) if (names.has(name)) found.add(name);
    }
  };
  const write = (target: Target): void => {
    for (const { name, isRead } of targetNames(target)) if (!isRead) names.delete(name);
  };
  const macro = ({ params, body: inside }: MacroBody): void => {
    for (const { name } of params) names.delete(name);
    read(...params.map(({ fallback }) => fallback));
    look(inside);
  };
  function look(statements: readonly Statement[]): void {
    for (const statement of statements) {
      switch (statement.kind) {
        case "output":
          read(statement.value);
          break;
        case "for":
          write(statement.target);
          read(statement.iterable);
          look(statement.body);
          look(statement.otherwise);
          read(statement.test);
          break;
        case "if":
          read(statement.test);
          look(statement.body);
          for (const elif of statement.elifs) {
            read(elif.test);
            look(elif.body);
          }
          look(statement.otherwise);
          break;
        case "set":
          write(statement.target);
          read(statement.value);
          break;
        case "setBlock":
          write(statement.target);
          read(statement.filter);
          look(statement.body);
          break;
        case "with":
          statement.targets.forEach(write);
          read(...statement.values);
          look(statement.body);
          break;
        case "macro":
          macro(statement.macro);
          break;
        case "callBlock":
          read(statement.call);
          macro(statement.macro);
          break;
        case "filterBlock":
          look(statement.body);
          read(statement.filter);
          break;
        case "data":
        case "break":
        case "continue":
          break;
        default:
          statement satisfies never;
      }
    }
  }
  look(body);
  return found;
}

/** The names that an expression reads. */
function* namesOf(expression: Expression | undefined): Iterable<string> {
  if (expression === undefined) return;
  if (expression.kind === "name") yield expression.name;
  for (const part of partsOf(expression)) yield* namesOf(part);
}

function partsOf(expression: Expression): readonly (Expression | undefined)[] {
  switch (expression.kind) {
    case "constant":
    case "name":
      return [];
    case "tuple":
    case "list":
      return expression.items;
    case "dict":
      return expression.pairs.flat();
    case "attribute":
      return [expression.object];
    case "item":
      return [expression.object, expression.index];
    case "slice":
      return [expression.object, ...expression.parts];
    case "call":
      return [expression.callee, ...argumentsOf(expression.args)];
    case "filter":
    case "test":
      return [expression.input, ...argumentsOf(expression.args)];
    case "not":
    case "negative":
    case "positive":
      return [expression.operand];
    case "binary":
    case "and":
    case "or":
      return [expression.left, expression.right];
    case "compare":
      return [expression.first, ...expression.rest.map(({ operand }) => operand)];
    case "concatenate":
      return expression.parts;
    case "condition":
      return [expression.test, expression.positive, expression.otherwise];
    default:
      return expression satisfies never;
  }
}

function argumentsOf({ positional, named, rest, namedRest }: CallArguments): readonly (Expression | undefined)[] {
  return [...positional, ...named.map(({ value }) => value), rest, namedRest];
}
