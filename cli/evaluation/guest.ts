// The source text that runs in the sandbox before a program, and the form in which values are compared.
//
// A program is never taken at its word. The prelude takes everything it needs into a closure before the program exists, so nothing
// that the program redefines changes how it is judged. A script of tests is the body of a function whose parameters are the builtins as
// they were, and a console of its own: the only one whose assertions count, and no name by which a program could find it. Methods of
// builtins are called in the program's own world all the same; so what exists there is fixed, all that can be reached from the global
// object and by syntax: builtins can be read but not replaced, prototypes can be extended but not changed, and nothing can be given
// a `toJSON` by way of its prototype, with which all values would look the same to JSON.stringify.
//
// There is no SharedArrayBuffer and no Atomics: with the former the interpreter reads and writes beyond its bounds.

import { GUEST_EQUALITY } from "./guest-equality.ts";
import type { Json } from "./task.ts";

/** Longest value, written out, that a program may return: in UTF-16 units. Tests return a few dozen. */
export const MAX_VALUE_LENGTH = 1 << 20;
/** Deepest nesting of a value: beyond lies a structure that contains itself. */
const MAX_DEPTH = 256;

/** Begins what `canonical` gives for a value: its text, or why it has none. Only the prelude writes the mark. */
export const WRITTEN = "=";
/** Begins what `describe` gives where the interpreter itself threw for want of memory. */
export const OUT_OF_MEMORY = "!";

/**
 * What a script of tests sees as it was before the program, whatever the program declares under these names. The console comes first.
 */
const PRISTINE =
  "console JSON Math Object Array String Number Boolean Symbol BigInt Map Set Date RegExp Promise Error TypeError RangeError isNaN isFinite parseInt parseFloat require";

/** The source of a function of the builtins in `pristine`, whose body is a script of tests on lines of their own numbers. */
export function testFunction(source: string): string {
  return `(function (${PRISTINE.replaceAll(" ", ", ")}) { return (function () {${source}\n})(); })`;
}

/**
 * A function expression: (report, hash) => { parse, canonical, describe, kindOf, runTests }.
 * - report(isTrue): told of every `console.assert` of the tests
 * - hash(algorithm, text, encoding): a digest, for `require("js-md5")` and `require("crypto").createHash`
 * - parse(text): JSON.parse
 * - canonical(value): {@link WRITTEN} and the value in the form of {@link canonicalJson}, or why it has no such form; throws what
 *   the value's own getters throw
 * - describe(error): what was thrown, as a line of text, {@link OUT_OF_MEMORY} before it in that case; never throws, whatever was thrown
 * - kindOf(value): as the messages call it
 * - runTests(tests): calls a {@link testFunction}
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
  const OwnError = InternalError.prototype; // of the interpreter
  const call = Function.prototype.call;
  const apply = Reflect.apply;
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
      const mark = message === "out of memory" && getPrototypeOf(error) === OwnError ? "${OUT_OF_MEMORY}" : "";
      return mark + slice(message === "" ? name : name + ": " + message, 0, 300);
    } catch {
      return "threw an object that cannot be read";
    }
  };

  let written = 0;
  const refusal = { reason: "" }; // thrown, and caught by identity: a program cannot throw it
  const refuse = (reason) => {
    refusal.reason = reason;
    throw refusal;
  };
  const put = (text) => {
    written += text.length;
    if (written > ${MAX_VALUE_LENGTH}) refuse("a value of more than ${MAX_VALUE_LENGTH} characters");
    return text;
  };
  const write = (value, depth) => {
    if (value === null || typeof value === "boolean" || value === undefined) return put(toText(value));
    if (typeof value === "number") return put(value === 0 ? "0" : isFinite(value) ? toText(value) : stringify(toText(value)));
    if (typeof value === "string") return put(stringify(value));
    if (typeof value === "bigint") return put(toText(value) + "n");
    if (typeof value !== "object") return put("(" + kindOf(value) + ")");
    if (depth > ${MAX_DEPTH}) refuse("a value nested more than ${MAX_DEPTH} deep");
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
    try {
      return "${WRITTEN}" + write(value, 0);
    } catch (error) {
      if (error !== refusal) throw error;
      return refusal.reason;
    }
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

  delete globalThis.SharedArrayBuffer;
  delete globalThis.Atomics;
  delete globalThis.InternalError;
  delete OwnError.constructor;

  // All that a program can reach: from the global object, and what only syntax gives.
  const builtins = [];
  const known = new Set([globalThis]);
  const prototypes = new Set();
  const reach = (value) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null || known.has(value)) return;
    known.add(value);
    if (typeof value === "function" && getOwnPropertyDescriptor(value, "prototype") === undefined) return void freeze(value);
    builtins.push(value);
    reach(getPrototypeOf(value));
    for (const key of ownKeys(value)) {
      const property = getOwnPropertyDescriptor(value, key);
      if (key === "prototype") prototypes.add(property.value);
      for (const part of [property.value, property.get, property.set]) reach(part);
    }
  };
  for (const key of ownKeys(globalThis)) reach(getOwnPropertyDescriptor(globalThis, key).value);
  reach(OwnError);
  const hidden = [function* () {}, async () => {}, async function* () {}].map(getPrototypeOf);
  const iterators = [[][Symbol.iterator](), ""[Symbol.iterator](), new Map().keys(), new Set().keys(), "".matchAll(/a/g),
    hidden[0].prototype, hidden[2].prototype, Uint8Array].map(getPrototypeOf);
  for (const one of [...hidden, ...iterators]) reach(one);
  for (const one of iterators.slice(0, -1)) prototypes.add(one).add(getPrototypeOf(one));
  const has = call.bind(Set.prototype.has);
  const isPrototype = (value) => has(prototypes, value);

  const nameless = { __proto__: null, [Symbol.toStringTag]: true };
  for (const builtin of builtins) {
    for (const key of ownKeys(builtin)) {
      const property = getOwnPropertyDescriptor(builtin, key);
      if (!property.configurable) continue;
      if (!("value" in property)) defineProperty(builtin, key, { configurable: false });
      else if (isPrototype(builtin) && nameless[key] !== true) fixInherited(builtin, key, property.value, property.enumerable);
      else fix(builtin, key, property.value);
    }
  }
  for (const one of [Object, Array, String, Number, Boolean, Symbol])
    if (getOwnPropertyDescriptor(one.prototype, "toJSON") === undefined)
      fixInherited(one.prototype, "toJSON", undefined, false);
  fixInherited(Function.prototype, "toJSON", undefined, false);

  const nothing = () => {};
  const consoleOf = (assert) => {
    const console = { assert };
    for (const name of ["log", "info", "warn", "error", "debug", "trace", "dir", "table", "time", "timeEnd", "group", "groupEnd"])
      console[name] = nothing;
    return freeze(console);
  };
  const console = consoleOf((condition) => {}); // the program's own, which nobody listens to
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
${GUEST_EQUALITY}
  const modules = { __proto__: null, lodash, "js-md5": md5, crypto, "node:crypto": crypto };
  const require = (name) => {
    const found = modules[name];
    if (found === undefined) throw new Failure("Cannot find module '" + toText(name) + "'");
    return found;
  };

  for (const space of [JSON, Math, Reflect, md5, crypto, lodash]) freeze(space);
  for (const [name, value] of [["console", console], ["JSON", JSON], ["Math", Math], ["Reflect", Reflect], ["Object", Object],
    ["Array", Array], ["String", String], ["Number", Number], ["Boolean", Boolean], ["Function", Function]])
    fix(globalThis, name, value);
  globalThis.require = require;
  globalThis.global = globalThis;

  const pristine = [
    consoleOf((condition) => report(condition ? true : false)),
    ...${JSON.stringify(PRISTINE.split(" ").slice(1))}.map((name) => globalThis[name]),
  ];

  const runTests = (tests) => void apply(tests, undefined, pristine);
  return freeze({ parse: (text) => parse(text), canonical, describe, kindOf, runTests });
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
