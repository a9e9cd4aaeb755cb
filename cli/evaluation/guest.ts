// The source text that runs in the sandbox before a program, and the form in which values are compared.
//
// The prelude takes everything it needs into a closure before the program exists, so nothing that the program redefines
// changes how it is judged. Tests of HumanEval-X however run in the program's own world and call its builtins; so what
// exists there is fixed: builtins can be read but not replaced, prototypes can be extended but not changed, and nothing can
// be given a `toJSON` by way of its prototype, with which all values would look the same to JSON.stringify.

import type { Json } from "./task.ts";

/** Longest value, written out, that a program may return: in UTF-16 units. Tests return a few dozen. */
export const MAX_VALUE_LENGTH = 1 << 20;
/** Deepest nesting of a value: beyond lies a structure that contains itself. */
const MAX_DEPTH = 256;

/** Begins the message of the error with which `canonical` refuses a value. */
export const UNWRITABLE = "kedge: ";

/**
 * A function expression: (report, hash) => { parse, canonical, describe, kindOf }.
 * - report(isTrue): told of every `console.assert`
 * - hash(algorithm, text, encoding): a digest, for `require("js-md5")` and `require("crypto").createHash`
 * - parse(text): JSON.parse
 * - canonical(value): the value in the form of {@link canonicalJson}
 * - describe(error): what was thrown, as a line of text; never throws, whatever was thrown
 * - kindOf(value): as the messages call it
 */
export const GUEST_PRELUDE = String.raw`(function (report, hash) {
  "use strict";
  const { freeze, getOwnPropertyDescriptor, getPrototypeOf, keys } = Object;
  const { defineProperty, ownKeys } = Reflect;
  const { isArray } = Array;
  const { stringify, parse } = JSON;
  const { isFinite } = Number;
  const { fromCharCode } = String;
  const [toText, PlainObject, Failure] = [String, Object.prototype, Error];
  const call = Function.prototype.call;
  const sort = call.bind(Array.prototype.sort);
  const slice = call.bind(String.prototype.slice);

  const kindOf = (value) => value === null ? "null" : isArray(value) ? "an array"
    : value === undefined ? "undefined" : typeof value === "object" ? "an object" : "a " + typeof value;

  const describe = (error) => {
    try {
      if (typeof error === "string") return "threw " + stringify(slice(error, 0, 200));
      if ((typeof error !== "object" && typeof error !== "function") || error === null) return "threw " + toText(error);
      const { name, message } = error;
      if (typeof name !== "string" || typeof message !== "string") return "threw " + kindOf(error);
      return slice(message === "" ? name : name + ": " + message, 0, 300);
    } catch {
      return "threw an object that cannot be read";
    }
  };

  let written = 0;
  const put = (text) => {
    written += text.length;
    if (written > ${MAX_VALUE_LENGTH}) throw new Failure("${UNWRITABLE}a value of more than ${MAX_VALUE_LENGTH} characters");
    return text;
  };
  const write = (value, depth) => {
    if (value === null || typeof value === "boolean" || value === undefined) return put(toText(value));
    if (typeof value === "number") return put(value === 0 ? "0" : isFinite(value) ? toText(value) : stringify(toText(value)));
    if (typeof value === "string") return put(stringify(value));
    if (typeof value === "bigint") return put(toText(value) + "n");
    if (typeof value !== "object") return put("(" + kindOf(value) + ")");
    if (depth > ${MAX_DEPTH}) throw new Failure("${UNWRITABLE}a value nested more than ${MAX_DEPTH} deep");
    let text = "";
    if (isArray(value)) {
      const { length } = value;
      for (let i = 0; i < length; i++) text += (i === 0 ? "" : put(",")) + write(value[i], depth + 1);
      return put("[") + text + put("]");
    }
    const prototype = getPrototypeOf(value);
    if (prototype !== PlainObject && prototype !== null) return put("(an object that is not plain)");
    const names = sort(keys(value));
    for (let i = 0; i < names.length; i++) {
      const inner = value[names[i]];
      if (inner !== undefined)
        text += (text === "" ? "" : put(",")) + put(stringify(names[i]) + ":") + write(inner, depth + 1);
    }
    return put("{") + text + put("}");
  };
  const canonical = (value) => {
    written = 0;
    return write(value, 0);
  };

  const fix = (owner, key, value) => defineProperty(owner, key, { value, writable: false, configurable: false });

  // A property of a prototype that cannot be changed, while objects that inherit it can have one of their own.
  const fixInherited = (owner, key, value, enumerable) =>
    defineProperty(owner, key, {
      get: () => value,
      set(next) {
        if (this !== owner && !isPrototype(this) && typeof this === "object" || typeof this === "function")
          defineProperty(this, key, { value: next, writable: true, enumerable: true, configurable: true });
      },
      enumerable,
      configurable: false,
    });

  const classes = [Object, Function, Array, String, Number, Boolean, Symbol, BigInt, RegExp, Date, Map, Set, Promise,
    Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError];
  const prototypes = classes.map((one) => one.prototype);
  const isPrototype = (value) => {
    for (let i = 0; i < prototypes.length; i++) if (prototypes[i] === value) return true;
    return false;
  };
  const iterators = [[][Symbol.iterator](), ""[Symbol.iterator](), new Map().keys(), new Set().keys()].map(getPrototypeOf);
  for (const prototype of [...prototypes, ...iterators, getPrototypeOf(iterators[0])]) {
    for (const key of ownKeys(prototype)) {
      const property = getOwnPropertyDescriptor(prototype, key);
      if (!property.configurable) continue;
      if ("value" in property) fixInherited(prototype, key, property.value, property.enumerable);
      else defineProperty(prototype, key, { configurable: false });
    }
  }
  for (const one of [Object, Array, String, Number, Boolean, Symbol])
    if (getOwnPropertyDescriptor(one.prototype, "toJSON") === undefined)
      fixInherited(one.prototype, "toJSON", undefined, false);
  fixInherited(Function.prototype, "toJSON", undefined, false);

  const nothing = () => {};
  const console = { assert: (condition) => report(condition ? true : false) };
  for (const name of ["log", "info", "warn", "error", "debug", "trace", "dir", "table", "time", "timeEnd", "group", "groupEnd"])
    console[name] = nothing;

  const md5 = (text) => hash("md5", toText(text), "hex");
  md5.md5 = md5.hex = md5;
  const createHash = (algorithm) => {
    let text = "";
    const digest = {
      update(data) {
        if (typeof data !== "string") throw new TypeError('The "data" argument must be of type string here');
        text += data;
        return digest;
      },
      digest(encoding) {
        return hash(toText(algorithm), text, toText(encoding));
      },
    };
    return digest;
  };
  const crypto = { createHash };
  const modules = { __proto__: null, "js-md5": md5, crypto, "node:crypto": crypto };
  const require = (name) => {
    const found = modules[name];
    if (found === undefined) throw new Failure("Cannot find module '" + toText(name) + "'");
    return found;
  };

  for (const one of [Object, Array, String, Number, Boolean, Function, Symbol, Promise])
    for (const key of ownKeys(one)) {
      const property = getOwnPropertyDescriptor(one, key);
      if (property.configurable && "value" in property) fix(one, key, property.value);
    }
  for (const space of [JSON, Math, Reflect, console, md5, crypto]) freeze(space);
  for (const [name, value] of [["console", console], ["JSON", JSON], ["Math", Math], ["Reflect", Reflect], ["Object", Object],
    ["Array", Array], ["String", String], ["Number", Number], ["Boolean", Boolean], ["Function", Function]])
    fix(globalThis, name, value);
  globalThis.require = require;
  globalThis.global = globalThis;

  return freeze({ parse: (text) => parse(text), canonical, describe, kindOf });
})`;

/**
 * A JSON value written so that two values are equal exactly when their texts are. Keys are sorted, -0 is 0.
 *
 * A program's values are written alike. NaN and infinities become their names as strings, which is how task files write
 * what JSON cannot. Whatever else JSON has not is written as nothing in JSON is, and equals no expected value: undefined and
 * holes in arrays, bigints, functions, symbols, objects that are neither arrays nor plain, such as maps and dates. Only a
 * property that is undefined counts as absent, as in JSON.
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") return value === 0 ? "0" : String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(",")}}`;
}

function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
