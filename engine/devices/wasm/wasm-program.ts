// A program as it lies in the linear memory (see assembly/walk.as.ts), and what of it changes: the step's variables, the
// implementation where it depends on the step's rows, and the addresses of tensors that were resized.
//
// Sizes are checked here, before a run, because a kernel does not: calls of one kernel with the same parameters are checked
// together, and only when a variable or a tensor has changed.

import type { Kernel, WasmImplementation } from "../../../kernels/index.ts";
import { chosenFor, implementationsIn, type RowChoices } from "../choose.ts";
import { DeviceError, type Executable, type Matrix, type Tensor } from "../device.ts";
import type { Call, Program, Value } from "../program.ts";
import { numbersIn } from "../tensor.ts";

/** The implementations of one call, by the step's rows. */
export type Choice = RowChoices<WasmImplementation>;

/** One implementation for any rows. */
export function always(implementation: WasmImplementation): Choice {
  return [{ implementation, begin: 0, end: Number.POSITIVE_INFINITY }];
}

/** Where a tensor or a matrix lies now. */
export type Locate = (buffer: Tensor | Matrix) => number;

const bits = new DataView(new ArrayBuffer(4));

/** The 32 bits of a parameter. */
function wordOf(type: "u32" | "f32", value: number): number {
  if (type === "f32") bits.setFloat32(0, value);
  else bits.setUint32(0, value);
  return bits.getUint32(0);
}

interface VariableWord {
  readonly address: number;
  readonly type: "u32" | "f32";
}
interface Variant {
  readonly address: number;
  readonly choice: Choice;
  readonly call: Call;
}
/** Calls of one kernel with the same parameters. */
interface Group {
  readonly kernel: Kernel;
  readonly params: readonly (readonly [string, Value])[];
  readonly calls: Call[];
}

/** Words that a program takes: a table of its calls' records, then the records. */
export function programWords(program: Program): number {
  return program.calls.reduce(
    (sum, { kernel }) => sum + 2 + Object.keys(kernel.buffers).length + Object.keys(kernel.params).length,
    0,
  );
}

/** A program in memory. */
export class WasmProgram implements Executable {
  readonly program: Program;
  readonly address: number;
  readonly chosen: readonly (readonly string[])[];
  readonly #release: (self: WasmProgram) => void;
  readonly #placeOf: (kernel: string) => number;
  readonly #variables = new Map<string, VariableWord[]>();
  readonly #variants = new Map<string, Variant[]>();
  readonly #uses = new Map<Tensor | Matrix, number[]>();
  readonly #groups = new Map<string, Group>();
  /** value of each variable in the last step */
  readonly #values = new Map<string, number>();
  #isChecked = false;
  #missing: string | undefined;

  constructor(
    program: Program,
    choices: readonly Choice[],
    address: number,
    placeOf: (kernel: string) => number,
    release: (self: WasmProgram) => void,
  ) {
    this.program = program;
    this.address = address;
    this.chosen = choices.map((choice) => implementationsIn(choice).map(({ name }) => name));
    this.#placeOf = placeOf;
    this.#release = release;
  }

  dispose(): void {
    this.#release(this);
  }

  /** The program's words, as they are to be written to `address`; fills in where its changing words lie. */
  encode(choices: readonly Choice[], locate: Locate): Uint32Array {
    const words = new Uint32Array(programWords(this.program));
    let next = this.program.calls.length;
    const addressOf = (word: number) => this.address + word * 4;
    this.program.calls.forEach((call, i) => {
      const { kernel } = call;
      words[i] = addressOf(next);
      this.#encodeKernel(call, choices[i]!, addressOf(next), (word) => (words[next] = word));
      next++;
      for (const name of Object.keys(kernel.buffers)) {
        const buffer = call.buffers[name];
        if (buffer !== undefined) {
          words[next] = locate(buffer);
          append(this.#uses, buffer, addressOf(next));
        }
        next++;
      }
      for (const [name, type] of Object.entries(kernel.params)) {
        const value = call.params[name];
        if (typeof value === "number") words[next] = wordOf(type, value);
        else if (value === undefined) throw new RangeError(`${call.label}: ${kernel.name} needs a value for ${name}`);
        else append(this.#variables, value.variable, { address: addressOf(next), type });
        next++;
      }
      const params = Object.keys(kernel.params).map((name) => [name, call.params[name]!] as const);
      const key = `${kernel.name} ${JSON.stringify(params)}`;
      const group = this.#groups.get(key);
      if (group) group.calls.push(call);
      else this.#groups.set(key, { kernel, params, calls: [call] });
    });
    return words;
  }

  #encodeKernel(call: Call, choice: Choice, address: number, put: (word: number) => void): void {
    const rows = call.params["rows"];
    if (typeof rows === "object" && choice.length > 1) {
      append(this.#variants, rows.variable, { address, choice, call });
      return;
    }
    put(this.#placeOf(choice[0]!.implementation.wasm));
  }

  /** Pairs of (address, word) that put a tensor's new address where it is used. */
  moved(tensor: Tensor, address: number): number[] {
    this.#isChecked = false;
    return (this.#uses.get(tensor) ?? []).flatMap((word) => [word, address]);
  }

  /** A tensor or matrix is gone: if the program uses it, no step is possible any more. */
  destroyed(buffer: Tensor | Matrix): void {
    if (this.#uses.has(buffer)) this.#missing = buffer.label;
  }

  /** Pairs of (address, word) that a step's variables change. Throws where one is missing or a buffer is too short. */
  prepareStep(variables: Readonly<Record<string, number>>): Uint32Array {
    if (this.#missing !== undefined) {
      throw new DeviceError("failed", `${this.program.label}: "${this.#missing}", which it uses, was destroyed`);
    }
    const changed = [...new Set([...this.#variables.keys(), ...this.#variants.keys()])].filter((name) => {
      const value = variables[name];
      if (value === undefined) throw new RangeError(`${this.program.label}: the step gives no value for ${name}`);
      return this.#values.get(name) !== value;
    });
    if (changed.length > 0 || !this.#isChecked) this.#check(variables);
    const pairs: number[] = [];
    for (const name of changed) {
      const value = variables[name]!;
      for (const { address, type } of this.#variables.get(name) ?? []) pairs.push(address, wordOf(type, value));
      for (const { address, choice, call } of this.#variants.get(name) ?? []) {
        const one = chosenFor(choice, Math.max(1, value));
        if (!one)
          throw new DeviceError("failed", `${call.label}: nothing here computes ${call.kernel.name} for ${value} rows`);
        pairs.push(address, this.#placeOf(one.implementation.wasm));
      }
    }
    for (const name of changed) this.#values.set(name, variables[name]!);
    this.#isChecked = true;
    return Uint32Array.from(pairs);
  }

  #check(variables: Readonly<Record<string, number>>): void {
    for (const { kernel, params, calls } of this.#groups.values()) {
      const resolved: Record<string, number> = {};
      for (const [name, value] of params) {
        const number = typeof value === "number" ? value : variables[value.variable]!;
        if (kernel.params[name] === "u32" && !(number >= 0 && number < 2 ** 32 && Number.isInteger(number))) {
          throw new RangeError(`${calls[0]!.label}: ${name} is ${number}; it must be a whole number below 2^32`);
        }
        resolved[name] = number;
      }
      const sizes = kernel.sizes(resolved);
      for (const name of Object.keys(kernel.buffers)) {
        const needed = sizes[name]!;
        for (const call of calls) {
          const buffer = call.buffers[name];
          if (buffer === undefined) continue;
          const length = numbersIn(buffer);
          if (length < needed) {
            throw new DeviceError(
              "failed",
              `${call.label}: ${kernel.name} needs ${needed} numbers in ${name}; "${buffer.label}" has ${length}`,
            );
          }
        }
      }
    }
  }
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
