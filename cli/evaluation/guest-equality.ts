// The source text, for the prelude in guest.ts, of what stands in for lodash in the sandbox: `isEqual`, of which MBXP's tests make
// their comparisons, and nothing else. It gives what lodash 4.17 gives for primitives, arrays, sets, and plain and class
// objects, also where that surprises: within a set the order of arrays does not count. Two maps, dates or other objects of a kind that
// it does not know are refused by that kind, never called unequal; no test of MBXP expects any. A structure that contains itself overflows the
// stack.

/** Statements that declare `lodash`; they use `call`, `isArray`, `ownKeys` and `getOwnPropertyDescriptor` of the prelude. */
export const GUEST_EQUALITY = String.raw`
  const tagOf = call.bind(Object.prototype.toString);
  const hasOwn = call.bind(Object.prototype.hasOwnProperty);
  const eachOf = call.bind(Set.prototype.forEach);
  const isShown = call.bind(Object.prototype.propertyIsEnumerable);
  const [Unequalled, cut] = [TypeError, call.bind(String.prototype.slice)];

  const valuesOf = (set) => {
    const values = { __proto__: null };
    let length = 0;
    eachOf(set, (value) => { values[length++] = value; });
    values.length = length;
    return values;
  };
  const shownKeys = (value) => {
    const all = ownKeys(value);
    const keys = { __proto__: null };
    let length = 0;
    for (let i = 0; i < all.length; i++) if (isShown(value, all[i])) keys[length++] = all[i];
    keys.length = length;
    return keys;
  };
  const equalLists = (a, b, isUnordered) => {
    if (a.length !== b.length) return false;
    const taken = { __proto__: null };
    for (let i = 0; i < a.length; i++) {
      if (!isUnordered) {
        if (!isEqual(a[i], b[i], false)) return false;
        continue;
      }
      let at = 0;
      while (at < b.length && (taken[at] === true || !isEqual(a[i], b[at], true))) at++;
      if (at === b.length) return false;
      taken[at] = true;
    }
    return true;
  };
  const equalObjects = (a, b, isUnordered) => {
    const [keys, others] = [shownKeys(a), shownKeys(b)];
    if (keys.length !== others.length) return false;
    let isNamed = false;
    for (let i = 0; i < keys.length; i++) {
      if (!hasOwn(b, keys[i]) || !isEqual(a[keys[i]], b[keys[i]], isUnordered)) return false;
      isNamed ||= keys[i] === "constructor";
    }
    return isNamed || !("constructor" in a && "constructor" in b) || a.constructor === b.constructor;
  };
  const isEqual = (a, b, isUnordered) => {
    if (a === b || (a !== a && b !== b)) return true;
    const isObject = (value) => typeof value === "object" && value !== null;
    if (!isObject(a) || !isObject(b)) return false;
    if (isArray(a) || isArray(b)) return isArray(a) && isArray(b) && equalLists(a, b, isUnordered);
    const kindOfObject = (value) => {
      const tag = cut(tagOf(value), 8, -1);
      return tag === "Arguments" ? "Object" : tag;
    };
    const kind = kindOfObject(a);
    if (kind !== kindOfObject(b)) return false;
    if (kind === "Object") return equalObjects(a, b, isUnordered);
    if (kind === "Set") return equalLists(valuesOf(a), valuesOf(b), true);
    throw new Unequalled("the isEqual of this sandbox does not compare two values of the kind " + kind);
  };
  const lodash = { isEqual: (a, b) => isEqual(a, b, false) };`;
