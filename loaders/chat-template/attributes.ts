// `object.name` and `object[index]` as jinja2's immutable sandbox sees them: a method goes before an item for the dot, after it
// for brackets; what would change a list or dict, and what starts with an underscore, counts as not there and fails when called.

import { takeArguments } from "./arguments.ts";
import { itemOf } from "./operators.ts";
import { quote, print, printQuoted } from "./printing.ts";
import { fail, refuse } from "./template-error.ts";
import { stringMethod } from "./string-methods.ts";
import {
  Callable,
  Dict,
  DictView,
  failUndefined,
  HostObject,
  isEqual,
  iterate,
  Markup,
  numberOf,
  orElse,
  Range,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Value,
} from "./values.ts";

/** Methods that change their value: the sandbox hides them. */
const CHANGING = {
  list: ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"],
  dict: ["clear", "pop", "popitem", "setdefault", "update"],
} as const;
/** What Python's types have and templates have no use for. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  int: ["as_integer_ratio", "to_bytes", "from_bytes"],
  bool: ["as_integer_ratio", "to_bytes", "from_bytes"],
  float: ["as_integer_ratio", "hex", "fromhex"],
  generator: ["close", "send", "throw", "gi_running", "gi_suspended", "gi_yieldfrom"],
  dict_keys: ["isdisjoint", "mapping"],
  dict_values: ["mapping"],
  dict_items: ["isdisjoint", "mapping"],
};

type Method = (args: Arguments) => Value;

/** `object.name`; never fails for what is not there, except on an undefined value. */
export function getAttribute(object: Value, name: string): Value {
  return orElse(ownAttribute(object, name), () => orElse(itemOf(object, name), () => missing(object, name)));
}

/** `object[index]`; never fails for what is not there, except on an undefined value. */
export function getItem(object: Value, index: Value): Value {
  const item = object instanceof HostObject && !(object instanceof Range) ? undefined : itemOf(object, index);
  if (item !== undefined) return item;
  const name = textOf(index);
  return orElse(name === undefined ? undefined : ownAttribute(object, name), () => missing(object, index));
}

function missing(object: Value, name: Value): Undefined {
  const what = object === null ? "none" : `a ${typeName(object)}`;
  return new Undefined(
    typeof name === "string"
      ? `${what} has no attribute ${quote(name)}`
      : `${what} has no element ${printQuoted(name)}`,
  );
}

/** An attribute of a value apart from its items; undefined if there is none of that name. */
export function ownAttribute(object: Value, name: string): Value | undefined {
  if (object instanceof Undefined) failUndefined(object);
  if (/^__\w+__$/.test(name)) return unsafe(object, name);
  const text = textOf(object);
  if (text !== undefined) {
    const method = stringMethod(text, name, { attribute: getAttribute, item: getItem });
    if (method !== undefined && object instanceof Markup) return escapedMethod(method);
    return method;
  }
  if (Array.isArray(object)) {
    if ((CHANGING.list as readonly string[]).includes(name)) return unsafe(object, name);
    return bind(name, SEQUENCE_METHODS, object) ?? (name === "copy" ? noArguments(name, () => [...object]) : undefined);
  }
  if (object instanceof Tuple) {
    const field = object.fields.indexOf(name);
    return field >= 0 ? object.items[field] : bind(name, SEQUENCE_METHODS, object);
  }
  if (object instanceof Dict) {
    if ((CHANGING.dict as readonly string[]).includes(name)) return unsafe(object, name);
    const method = DICT_METHODS[name];
    return method && new Callable(name, method(object));
  }
  const number = numberOf(object);
  if (number !== undefined) {
    const found = numberAttribute(number, name);
    if (found !== undefined) return found;
  } else if (object instanceof Range) {
    if (name === "start" || name === "stop" || name === "step") return object[name];
    const method = bind(name, SEQUENCE_METHODS, object);
    if (method !== undefined) return method;
  } else if (object instanceof HostObject) {
    const found = object.attribute(name);
    if (found !== undefined) return found;
  }
  const type = typeName(object);
  if (REFUSED[type]?.includes(name)) refuse(`"${name}" of a ${type}`);
  return undefined;
}

function unsafe(object: Value, name: string): Undefined {
  return new Undefined(`"${name}" of a ${typeName(object)} is not allowed in templates`);
}

const noArguments = (name: string, run: () => Value): Callable =>
  new Callable(name, (args) => {
    takeArguments(name, args, "/");
    return run();
  });

const SEQUENCE_METHODS: Readonly<Record<string, (object: Value) => Method>> = {
  count: (object) => (args) => {
    const [wanted] = takeArguments("count", args, "value /");
    let count = 0n;
    for (const item of iterate(object)) if (isEqual(item, wanted!)) count++;
    return count;
  },
  index: (object) => (args) => {
    const [wanted, start = 0n, stop] = takeArguments("index", args, "value start? stop? /");
    const items = [...iterate(object)];
    const place = (value: Value): number => {
      const number = numberOf(value);
      if (typeof number !== "bigint") fail('"index" needs whole numbers');
      return Math.max(0, Number(number) < 0 ? Number(number) + items.length : Number(number));
    };
    const end = stop === undefined ? items.length : place(stop);
    const found = items.findIndex((item, i) => i >= place(start) && i < end && isEqual(item, wanted!));
    return found < 0 ? fail('"index" does not find the value') : BigInt(found);
  },
};

function bind(name: string, methods: typeof SEQUENCE_METHODS, object: Value): Callable | undefined {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  return method && new Callable(name, method(object));
}

const DICT_METHODS: Readonly<Record<string, ((dict: Dict) => Method) | undefined>> = {
  __proto__: null as never,
  get: (dict) => (args) => {
    const [key, otherwise = null] = takeArguments("get", args, "key default? /");
    return orElse(dict.get(key!), () => otherwise);
  },
  keys: (dict) => view(dict, "keys"),
  values: (dict) => view(dict, "values"),
  items: (dict) => view(dict, "items"),
  copy: (dict) => (args) => {
    takeArguments("copy", args, "/");
    return new Dict(dict.entries());
  },
  fromkeys: () => fromKeys,
};

function view(dict: Dict, kind: "keys" | "values" | "items"): Method {
  return (args) => {
    takeArguments(kind, args, "/");
    return new DictView(dict, kind);
  };
}

/** Python's `dict.fromkeys`. */
export function fromKeys(args: Arguments): Dict {
  const [keys, value = null] = takeArguments("fromkeys", args, "iterable value? /");
  return new Dict([...iterate(keys!)].map((key) => [key, value]));
}

function numberAttribute(number: bigint | number, name: string): Value | undefined {
  switch (name) {
    case "real":
      return number;
    case "imag":
      return typeof number === "bigint" ? 0n : 0;
    case "conjugate":
      return noArguments(name, () => number);
    case "is_integer":
      return typeof number === "number" ? noArguments(name, () => Number.isInteger(number)) : undefined;
    case "numerator":
      return typeof number === "bigint" ? number : undefined;
    case "denominator":
      return typeof number === "bigint" ? 1n : undefined;
    case "bit_length":
    case "bit_count": {
      if (typeof number !== "bigint") return undefined;
      const bits = number === 0n ? "" : (number < 0n ? -number : number).toString(2);
      return noArguments(name, () => BigInt(name === "bit_length" ? bits.length : bits.replaceAll("0", "").length));
    }
    default:
      return undefined;
  }
}

/** A method of escaped text: texts that it takes are escaped where they get into the result, which is escaped itself. */
function escapedMethod(method: Callable): Callable {
  const plain = ["startswith", "endswith", "find", "rfind", "index", "rindex", "count"];
  const same = ["upper", "lower", "title", "capitalize", "swapcase", "casefold", "strip", "lstrip", "rstrip"];
  if (method.name.startsWith("is") || plain.includes(method.name)) return method;
  if (!same.includes(method.name)) refuse(`"${method.name}" of escaped text`);
  return new Callable(method.name, (args) => new Markup(print(method.call(args))));
}
