// The syntax tree of a template. Lines are for messages only.

import type { Value } from "./values.ts";

export type Binary = "+" | "-" | "*" | "/" | "//" | "%" | "**";
export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

/** Arguments of a call, filter or test. */
export interface CallArguments {
  readonly positional: readonly Expression[];
  readonly named: readonly { readonly name: string; readonly value: Expression }[];
  readonly rest: Expression | undefined;
  readonly namedRest: Expression | undefined;
}

export interface FilterExpression {
  readonly kind: "filter";
  /** What is filtered; undefined is the text of the block that the filter belongs to. */
  readonly input: Expression | undefined;
  readonly name: string;
  readonly args: CallArguments;
  readonly line: number;
}

export interface CallExpression {
  readonly kind: "call";
  readonly callee: Expression;
  readonly args: CallArguments;
  readonly line: number;
}

export type Expression =
  | { readonly kind: "constant"; readonly value: Value }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "tuple" | "list"; readonly items: readonly Expression[] }
  | { readonly kind: "dict"; readonly pairs: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: "attribute"; readonly object: Expression; readonly name: string }
  | { readonly kind: "item"; readonly object: Expression; readonly index: Expression }
  | {
      readonly kind: "slice";
      readonly object: Expression;
      readonly parts: readonly [Expression | undefined, Expression | undefined, Expression | undefined];
    }
  | CallExpression
  | FilterExpression
  | {
      readonly kind: "test";
      readonly input: Expression;
      readonly name: string;
      readonly args: CallArguments;
      readonly line: number;
    }
  | { readonly kind: "not" | "negative" | "positive"; readonly operand: Expression }
  | { readonly kind: "binary"; readonly operator: Binary; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: "compare";
      readonly first: Expression;
      readonly rest: readonly { readonly operator: Comparison; readonly operand: Expression }[];
    }
  | { readonly kind: "concatenate"; readonly parts: readonly Expression[] }
  | {
      readonly kind: "condition";
      readonly test: Expression;
      readonly positive: Expression;
      readonly otherwise: Expression | undefined;
      readonly line: number;
    };

/** What is assigned to. */
export type Target =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "member"; readonly name: string; readonly member: string }
  | { readonly kind: "tuple"; readonly items: readonly Target[] };

/** Where the first value of a name in a scope comes from: scopes.ts finds it. */
export type Load = "resolve" | "outer" | "unset" | "parameter";

/** The names of a scope, and where each one's first value comes from; a parameter's comes with the call. */
export type Scope = ReadonlyMap<string, Load>;

/** Parameters and body of a macro, or of a block that is called. */
export interface MacroBody {
  readonly params: readonly { readonly name: string; readonly fallback: Expression | undefined }[];
  readonly body: readonly Statement[];
  readonly line: number;
  scope?: Scope;
  /** Which of these names the body uses without giving them a value itself. */
  uses?: { readonly caller: boolean; readonly kwargs: boolean; readonly varargs: boolean };
}

export interface ForStatement {
  readonly kind: "for";
  readonly target: Target;
  readonly iterable: Expression;
  readonly test: Expression | undefined;
  readonly isRecursive: boolean;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
  readonly line: number;
  scopes?: { readonly body: Scope; readonly test: Scope; readonly otherwise: Scope; readonly usesLoop: boolean };
}

export interface IfStatement {
  readonly kind: "if";
  readonly test: Expression;
  readonly body: readonly Statement[];
  readonly elifs: readonly { readonly test: Expression; readonly body: readonly Statement[]; readonly line: number }[];
  readonly otherwise: readonly Statement[];
  readonly line: number;
}

export type Statement =
  | { readonly kind: "data"; readonly text: string }
  | { readonly kind: "output"; readonly value: Expression; readonly line: number }
  | ForStatement
  | IfStatement
  | { readonly kind: "set"; readonly target: Target; readonly value: Expression; readonly line: number }
  | {
      readonly kind: "setBlock";
      readonly target: Target;
      readonly filter: FilterExpression | undefined;
      readonly body: readonly Statement[];
      readonly line: number;
      scope?: Scope;
    }
  | {
      readonly kind: "with";
      readonly targets: readonly Target[];
      readonly values: readonly Expression[];
      readonly body: readonly Statement[];
      readonly line: number;
      scope?: Scope;
    }
  | { readonly kind: "macro"; readonly name: string; readonly macro: MacroBody; readonly line: number }
  | {
      /** `{% call %}`, and `{% generation %}`, which calls its body and prints the result. */
      readonly kind: "callBlock";
      readonly call: CallExpression | undefined;
      readonly macro: MacroBody;
      readonly line: number;
    }
  | {
      readonly kind: "filterBlock";
      readonly filter: FilterExpression;
      readonly body: readonly Statement[];
      readonly line: number;
      scope?: Scope;
    }
  | { readonly kind: "break" | "continue"; readonly line: number };
