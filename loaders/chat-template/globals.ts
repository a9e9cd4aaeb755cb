// What every template can use: range, dict, namespace, cycler, joiner, raise_exception, strftime_now.

import { takeArguments } from "./arguments.ts";
import { fromKeys } from "./attributes.ts";
import { MAX_RANGE } from "./limits.ts";
import { print, printQuoted } from "./printing.ts";
import { formatTime } from "./strftime.ts";
import { fail, refuse } from "./template-error.ts";
import {
  Callable,
  Dict,
  failUndefined,
  HostObject,
  iterate,
  Namespace,
  numberOf,
  Range,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Value,
} from "./values.ts";

/** Python's `dict(mapping or pairs, **named)`. */
function makeDict(name: string, { positional, named }: Arguments): Dict {
  if (positional.length > 1) fail(`"${name}" takes at most 1 argument without a name, not ${positional.length}`);
  const dict = new Dict();
  const [source] = positional;
  if (source instanceof Dict) for (const [key, value] of source.entries()) dict.set(key, value);
  else if (source !== undefined) {
    for (const pair of iterate(source)) {
      const [key, value, ...rest] = iterate(pair);
      if (key === undefined || value === undefined || rest.length > 0)
        fail(`"${name}" needs pairs of a key and a value`);
      dict.set(key, value);
    }
  }
  for (const [key, value] of named) dict.set(key, value);
  return dict;
}

function range(args: Arguments): Range {
  const [first, second, third = 1n] = takeArguments("range", args, "start stop? step? /").map((value) => {
    if (value === undefined) return undefined;
    if (value instanceof Undefined) failUndefined(value);
    const number = numberOf(value);
    return typeof number === "bigint" ? number : fail(`"range" needs whole numbers, not a ${typeName(value)}`);
  });
  if (third === 0n) fail('"range" needs a step that is not 0');
  const made = second === undefined ? new Range(0n, first!, third) : new Range(first!, second, third);
  if (made.length > MAX_RANGE) fail(`"range" has ${made.length} numbers; at most ${MAX_RANGE} are allowed`);
  return made;
}

class DictType extends HostObject {
  readonly typeName = "TemplateDict";
  override call(args: Arguments): Value {
    return makeDict("dict", args);
  }
  override attribute(name: string): Value | undefined {
    return name === "fromkeys" ? new Callable(name, fromKeys) : undefined;
  }
}

class Cycler extends HostObject {
  readonly typeName = "Cycler";
  readonly #values: readonly Value[];
  #position = 0;
  constructor(values: readonly Value[]) {
    super();
    if (values.length === 0) fail('"cycler" needs at least one value');
    this.#values = values;
  }
  override attribute(name: string): Value | undefined {
    switch (name) {
      case "items":
        return new Tuple(this.#values);
      case "pos":
        return BigInt(this.#position);
      case "current":
        return this.#values[this.#position];
      case "next":
        return new Callable(name, () => {
          const current = this.#values[this.#position]!;
          this.#position = (this.#position + 1) % this.#values.length;
          return current;
        });
      case "reset":
        return new Callable(name, () => {
          this.#position = 0;
          return null;
        });
      default:
        return undefined;
    }
  }
}

class Joiner extends HostObject {
  readonly typeName = "Joiner";
  readonly #separator: Value;
  #isUsed = false;
  constructor(separator: Value) {
    super();
    this.#separator = separator;
  }
  override call(): Value {
    const wasUsed = this.#isUsed;
    this.#isUsed = true;
    return wasUsed ? this.#separator : "";
  }
  override attribute(name: string): Value | undefined {
    return name === "sep" ? this.#separator : name === "used" ? this.#isUsed : undefined;
  }
}

/** Prints like Python's: its attributes as a dict. */
class PrintedNamespace extends Namespace {
  override repr(): string {
    return `<Namespace ${printQuoted(this.attributes)}>`;
  }
}

function makeNamespace(args: Arguments): Namespace {
  const namespace = new PrintedNamespace();
  for (const [key, value] of makeDict("namespace", args).entries()) namespace.set(key, value);
  return namespace;
}

/** The global names; @param now what `strftime_now` prints */
export function makeGlobals(now: () => Date): ReadonlyMap<string, Value> {
  const functions: Readonly<Record<string, (args: Arguments) => Value>> = {
    range,
    namespace: makeNamespace,
    cycler: ({ positional }) => new Cycler(positional),
    joiner: (args) => {
      const [separator = ", "] = takeArguments("joiner", args, "sep?");
      return new Joiner(separator);
    },
    lipsum: () => refuse('"lipsum", which makes texts at random,'),
    raise_exception: (args) => fail(print(takeArguments("raise_exception", args, "message")[0]!)),
    strftime_now: (args) => {
      const [format] = takeArguments("strftime_now", args, "format");
      return formatTime(textOf(format!) ?? fail('"strftime_now" needs a format as text'), now());
    },
  };
  const globals = new Map<string, Value>([["dict", new DictType()]]);
  for (const [name, run] of Object.entries(functions)) globals.set(name, new Callable(name, run));
  return globals;
}
