// `loop`: what a template knows about the loop that it is in.

import { fail } from "./template-error.ts";
import {
  Callable,
  HostObject,
  isEqual,
  iterate,
  lengthOf,
  Tuple,
  Undefined,
  type Arguments,
  type Value,
} from "./values.ts";

/** The loop over a value's items. Looks ahead only where the template asks for what needs it. */
export class LoopContext extends HostObject {
  readonly typeName = "LoopContext";
  readonly #iterable: Value;
  #iterator: Iterator<Value>;
  readonly #recurse: ((iterable: Value, depth: number) => Value) | undefined;
  readonly #depth: number;
  #index = -1;
  #length: number | undefined;
  /** What comes next, if it was looked at; "end" if nothing does. */
  #ahead: { readonly item: Value } | "end" | undefined;
  #previous: Value | undefined;
  #current: Value | undefined;
  #changed: Tuple | undefined;

  /** @param recurse renders the loop's body for other items, if the loop is recursive */
  constructor(iterable: Value, depth: number, recurse?: (iterable: Value, depth: number) => Value) {
    super();
    this.#iterable = iterable;
    this.#iterator = iterate(iterable)[Symbol.iterator]();
    this.#depth = depth;
    this.#recurse = recurse;
  }

  /** Goes to the next item; undefined at the end. */
  next(): { readonly item: Value } | undefined {
    const next = this.#peek();
    this.#ahead = undefined;
    if (next === "end") return undefined;
    this.#index++;
    this.#previous = this.#current;
    this.#current = next.item;
    return next;
  }

  #peek(): { readonly item: Value } | "end" {
    if (this.#ahead === undefined || this.#ahead === "end") {
      const { done, value } = this.#iterator.next();
      this.#ahead = done === true ? "end" : { item: value };
    }
    return this.#ahead;
  }

  override count(): number {
    if (this.#length === undefined) {
      this.#length = lengthOf(this.#iterable);
      if (this.#length === undefined) {
        const rest: Value[] = [];
        for (let next = this.#iterator.next(); next.done !== true; next = this.#iterator.next()) rest.push(next.value);
        this.#iterator = rest[Symbol.iterator]();
        const isAhead = this.#ahead !== undefined && this.#ahead !== "end";
        this.#length = rest.length + this.#index + 1 + (isAhead ? 1 : 0);
      }
    }
    return this.#length;
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case "index":
        return BigInt(this.#index + 1);
      case "index0":
        return BigInt(this.#index);
      case "length":
        return BigInt(this.count());
      case "revindex":
        return BigInt(this.count() - this.#index);
      case "revindex0":
        return BigInt(this.count() - this.#index - 1);
      case "first":
        return this.#index === 0;
      case "last":
        return this.#peek() === "end";
      case "previtem":
        return this.#index === 0 ? new Undefined("there is no previous item") : this.#previous;
      case "nextitem": {
        const next = this.#peek();
        return next === "end" ? new Undefined("there is no next item") : next.item;
      }
      case "depth":
        return BigInt(this.#depth + 1);
      case "depth0":
        return BigInt(this.#depth);
      case "cycle":
        return new Callable(name, ({ positional }) =>
          positional.length === 0 ? fail("loop.cycle needs values") : positional[this.#index % positional.length]!,
        );
      case "changed":
        return new Callable(name, ({ positional }) => {
          const values = new Tuple(positional);
          if (this.#changed !== undefined && isEqual(this.#changed, values)) return false;
          this.#changed = values;
          return true;
        });
      default:
        return undefined;
    }
  }

  override call({ positional }: Arguments): Value {
    if (this.#recurse === undefined) fail('a loop is called, which needs the word "recursive" after its items');
    const [items] = positional;
    if (items === undefined || positional.length > 1) fail("a loop is called with the items to go through");
    return this.#recurse(items, this.#depth + 1);
  }

  override repr(): string {
    return `<LoopContext ${this.#index + 1}/${this.count()}>`;
  }
}
