// Macros, and the blocks of `{% call %}`: arguments -> parameters, with the names that Jinja gives a meaning of their own.

import { quote } from "./printing.ts";
import type { MacroBody } from "./syntax.ts";
import { fail } from "./template-error.ts";
import { Dict, HostObject, Tuple, Undefined, type Arguments, type Value } from "./values.ts";

/** A macro, or a block that is called: binds arguments to parameters. */
export class Macro extends HostObject {
  readonly typeName = "Macro";
  readonly #name: string | undefined;
  readonly #body: MacroBody;
  readonly #run: (values: ReadonlyMap<string, Value>) => string;

  constructor(name: string | undefined, body: MacroBody, run: (values: ReadonlyMap<string, Value>) => string) {
    super();
    this.#name = name;
    this.#body = body;
    this.#run = run;
  }

  override call({ positional: given, named }: Arguments): Value {
    const { params, uses } = this.#body;
    const label = this.#name === undefined ? "a called block" : `the macro "${this.#name}"`;
    const values = new Map<string, Value>();
    const rest = new Map(named);
    params.forEach(({ name }, i) => {
      if (i < given.length) values.set(name, given[i]!);
      else if (rest.has(name)) {
        values.set(name, rest.get(name)!);
        rest.delete(name);
      }
    });
    // A parameter named "caller" stands for the special one.
    if (uses!.caller && !params.some(({ name }) => name === "caller")) {
      values.set("caller", rest.get("caller") ?? new Undefined("the macro was not called by a call block"));
      rest.delete("caller");
    }
    if (uses!.kwargs) values.set("kwargs", new Dict(rest));
    else if (rest.size > 0) fail(`${label} takes no argument named "${[...rest.keys()][0]}"`);
    if (uses!.varargs) values.set("varargs", new Tuple(given.slice(params.length)));
    else if (given.length > params.length)
      fail(`${label} takes at most ${params.length} arguments, not ${given.length}`);
    return this.#run(values);
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case "name":
        return this.#name ?? null;
      case "arguments":
        return new Tuple(this.#body.params.map((param) => param.name));
      case "catch_kwargs":
        return this.#body.uses!.kwargs;
      case "catch_varargs":
        return this.#body.uses!.varargs;
      case "caller":
        return this.#body.uses!.caller;
      case "explicit_caller":
        return this.#body.params.some((param) => param.name === "caller");
      default:
        return undefined;
    }
  }

  override repr(): string {
    return `<Macro ${this.#name === undefined ? "anonymous" : quote(this.#name)}>`;
  }
}
