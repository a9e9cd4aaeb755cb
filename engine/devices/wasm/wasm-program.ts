// A program as it lies in the memories (see assembly/walk.as.ts), and what of it changes: the step's variables, the
// implementation where it depends on the step's rows, and the addresses of tensors that were resized. Its table is in the first
// memory, the words of each call in the memory where the call is made.
//
// Sizes are checked here, before a run, because a kernel does not: calls of one kernel with the same parameters are checked
// together, and only when a variable or a tensor has changed.

import type { Kernel, WasmImplementation } from "../../../kernels/index.ts";
import { chosenFor, implementationsIn, type RowChoices } from "../choose.ts";
import { DeviceError, type Executable, type Matrix, type Tensor } from "../device.ts";
import type { Call, Program, Value } from "../program.ts";
import { numbersIn } from "../tensor.ts";
import { Patches } from "./patches.ts";
import { isWritten, planRoute, type Route, type RoutedCall } from "./stations.ts";

/** The implementations of one call, by the step's rows. */
export type Choice = RowChoices<WasmImplementation>;

/** Bytes that a program takes in one memory. */
export interface Block {
  readonly address: number;
  readonly byteLength: number;
}

/** Where a program and what it uses lie. */
export interface Site {
  /** of each call */
  readonly memories: readonly number[];
  /** by memory; that of the first memory begins with the program's table */
  readonly blocks: ReadonlyMap<number, Block>;
  /** in which memory a buffer is at home */
  homeOf(buffer: Tensor | Matrix): number;
  /** where it lies in a memory, at home or as a replica */
  addressIn(buffer: Tensor | Matrix, memory: number): number;
  /** the memories in which it has replicas */
  replicasOf(tensor: Tensor): Iterable<number>;
  /** place in the function table of the kernel for a memory */
  placeOf(kernel: string, memory: number): number;
}

const bits = new DataView(new ArrayBuffer(4));

/** The 32 bits of a parameter. */
function wordOf(type: "u32" | "f32", value: number): number {
  if (type === "f32") bits.setFloat32(0, value);
  else bits.setUint32(0, value);
  return bits.getUint32(0);
}

interface Word {
  readonly memory: number;
  readonly address: number;
}
interface VariableWord extends Word {
  readonly type: "u32" | "f32";
}
interface Variant {
  /** of the word in the table */
  readonly address: number;
  /** of the call */
  readonly memory: number;
  readonly choice: Choice;
  readonly call: Call;
}
/** Calls of one kernel with the same parameters. */
interface Group {
  readonly kernel: Kernel;
  readonly params: readonly (readonly [string, Value])[];
  readonly calls: Call[];
  /** numbers that each call uses of its buffers, as last checked */
  sizes: Readonly<Record<string, number>>;
}

/** Words of an entry in a program's table: a function's place, and where the call's words lie. */
const ENTRY_WORDS = 2;

/** Words that a program takes, by memory: in the first a table of its calls, then in each the words of its calls. */
export function programWords({ calls }: Program, memories: readonly number[]): Map<number, number> {
  const words = new Map([[0, calls.length * ENTRY_WORDS]]);
  for (const [i, { kernel }] of calls.entries()) {
    const own = Object.keys(kernel.buffers).length + Object.keys(kernel.params).length;
    words.set(memories[i]!, (words.get(memories[i]!) ?? 0) + own);
  }
  return words;
}

/** A program in memory. */
export class WasmProgram implements Executable {
  readonly program: Program;
  readonly chosen: readonly (readonly string[])[];
  readonly #choices: readonly Choice[];
  readonly #release: (self: WasmProgram) => void;
  /** undefined until it is encoded, and once what it uses lies in another memory than it did */
  #site: Site | undefined;
  readonly #variables = new Map<string, VariableWord[]>();
  readonly #variants = new Map<string, Variant[]>();
  readonly #uses = new Map<Tensor | Matrix, Word[]>();
  readonly #groups = new Map<string, Group>();
  #routed: readonly RoutedCall[] = [];
  /** by range of calls; empty where everything lies in one memory */
  readonly #routes = new Map<number, Route | undefined>();
  #isSpread = false;
  /** value of each variable in the last step */
  readonly #values = new Map<string, number>();
  #isChecked = false;
  #missing: string | undefined;

  constructor(program: Program, choices: readonly Choice[], release: (self: WasmProgram) => void) {
    this.program = program;
    this.chosen = choices.map((choice) => implementationsIn(choice).map(({ name }) => name));
    this.#choices = choices;
    this.#release = release;
  }

  dispose(): void {
    this.#release(this);
  }

  /** Address of its table. */
  get table(): number {
    return this.#site!.blocks.get(0)!.address;
  }

  /** What it takes of the memories. */
  get blocks(): Site["blocks"] {
    return this.#site?.blocks ?? new Map();
  }

  /** Whether it can be replayed; it has no place otherwise. */
  get isEncoded(): boolean {
    return this.#site !== undefined;
  }

  /** Whether it uses replicas, or writes what may have some. */
  get isSpread(): boolean {
    return this.#isSpread;
  }

  /** It lies nowhere any more. */
  leave(): void {
    this.#site = undefined;
    this.#isSpread = false;
  }

  /** The program's words by memory, as they are to be written to its blocks; fills in where its changing words lie. */
  encode(site: Site): Map<number, Uint32Array> {
    this.#site = site;
    for (const map of [this.#variables, this.#variants, this.#uses, this.#groups, this.#routes, this.#values])
      map.clear();
    this.#isChecked = false;
    this.#isSpread = false;
    const { calls } = this.program;
    const blocks = new Map(
      [...site.blocks].map(([memory, { address, byteLength }]) => {
        return [memory, { words: new Uint32Array(byteLength / 4), next: 0, address }];
      }),
    );
    const table = blocks.get(0)!;
    table.next = calls.length * ENTRY_WORDS;
    this.#routed = calls.map((call, i) => {
      const { kernel } = call;
      const memory = site.memories[i]!;
      const block = blocks.get(memory)!;
      const { words } = block;
      const here = (): Word => ({ memory, address: block.address + block.next * 4 });
      table.words[i * ENTRY_WORDS + 1] = here().address;
      this.#encodeKernel(call, i, memory, table);
      for (const name of Object.keys(kernel.buffers)) {
        const buffer = call.buffers[name];
        if (buffer !== undefined) {
          words[block.next] = site.addressIn(buffer, memory);
          append(this.#uses, buffer, here());
          const isWeights = "role" in buffer && buffer.role === "weights" && isWritten(kernel.buffers[name]!);
          this.#isSpread ||= memory !== site.homeOf(buffer) || isWeights;
        }
        block.next++;
      }
      for (const [name, type] of Object.entries(kernel.params)) {
        const value = call.params[name];
        if (typeof value === "number") words[block.next] = wordOf(type, value);
        else if (value === undefined) throw new RangeError(`${call.label}: ${kernel.name} needs a value for ${name}`);
        else append(this.#variables, value.variable, { ...here(), type });
        block.next++;
      }
      return { call, memory, numbers: this.#groupOf(call) };
    });
    return new Map([...blocks].map(([memory, { words }]) => [memory, words]));
  }

  #groupOf(call: Call): Group {
    const { kernel } = call;
    const params = Object.keys(kernel.params).map((name) => [name, call.params[name]!] as const);
    const key = `${kernel.name} ${JSON.stringify(params)}`;
    let group = this.#groups.get(key);
    if (!group) {
      group = { kernel, params, calls: [], sizes: {} };
      this.#groups.set(key, group);
    }
    group.calls.push(call);
    return group;
  }

  #encodeKernel(call: Call, i: number, memory: number, table: { words: Uint32Array; address: number }): void {
    const choice = this.#choices[i]!;
    const rows = call.params["rows"];
    if (typeof rows === "object" && choice.length > 1) {
      const address = table.address + i * ENTRY_WORDS * 4;
      append(this.#variants, rows.variable, { address, memory, choice, call });
      return;
    }
    table.words[i * ENTRY_WORDS] = this.#site!.placeOf(choice[0]!.implementation.wasm, memory);
  }

  /** Adds the words that put a tensor's new address, in the memory where it was, where it is used. */
  moved(tensor: Tensor, address: number, patches: Patches): void {
    this.#isChecked = false;
    for (const word of this.#uses.get(tensor) ?? []) patches.add(word.memory, word.address, address);
  }

  /** Replicas of what it uses came or went. */
  reroute(): void {
    this.#routes.clear();
  }

  uses(buffer: Tensor | Matrix): boolean {
    return this.#uses.has(buffer);
  }

  /** A tensor or matrix is gone: if the program uses it, no step is possible any more. */
  destroyed(buffer: Tensor | Matrix): void {
    if (this.#uses.has(buffer)) this.#missing = buffer.label;
  }

  /** Throws a DeviceError if something that the program uses is gone. */
  throwIfMissing(): void {
    if (this.#missing === undefined) return;
    throw new DeviceError("failed", `${this.program.label}: "${this.#missing}", which it uses, was destroyed`);
  }

  /** What the lead must carry between memories in calls begin..end, with the variables of `prepareStep`; see Replay. */
  stations(begin: number, end: number): Uint32Array | undefined {
    if (!this.#isSpread) return undefined;
    const site = this.#site!;
    const key = begin * (this.#routed.length + 1) + end;
    if (!this.#routes.has(key)) {
      this.#routes.set(key, planRoute(this.#routed, begin, end, site.homeOf, site.replicasOf));
    }
    return this.#routes.get(key)?.words(site.addressIn);
  }

  /** Words that a step's variables change. Throws where one is missing or a buffer is too short. */
  prepareStep(variables: Readonly<Record<string, number>>): Uint32Array {
    this.throwIfMissing();
    const changed = [...new Set([...this.#variables.keys(), ...this.#variants.keys()])].filter((name) => {
      const value = variables[name];
      if (value === undefined) throw new RangeError(`${this.program.label}: the step gives no value for ${name}`);
      return this.#values.get(name) !== value;
    });
    if (changed.length > 0 || !this.#isChecked) this.#check(variables);
    const patches = new Patches();
    for (const name of changed) {
      const value = variables[name]!;
      for (const { memory, address, type } of this.#variables.get(name) ?? []) {
        patches.add(memory, address, wordOf(type, value));
      }
      for (const { address, memory, choice, call } of this.#variants.get(name) ?? []) {
        const one = chosenFor(choice, Math.max(1, value));
        if (!one)
          throw new DeviceError("failed", `${call.label}: nothing here computes ${call.kernel.name} for ${value} rows`);
        patches.add(0, address, this.#site!.placeOf(one.implementation.wasm, memory));
      }
    }
    for (const name of changed) this.#values.set(name, variables[name]!);
    this.#isChecked = true;
    return patches.build();
  }

  #check(variables: Readonly<Record<string, number>>): void {
    for (const group of this.#groups.values()) {
      const { kernel, params, calls } = group;
      const resolved: Record<string, number> = {};
      for (const [name, value] of params) {
        const number = typeof value === "number" ? value : variables[value.variable]!;
        if (kernel.params[name] === "u32" && !(number >= 0 && number < 2 ** 32 && Number.isInteger(number))) {
          throw new RangeError(`${calls[0]!.label}: ${name} is ${number}; it must be a whole number below 2^32`);
        }
        resolved[name] = number;
      }
      const sizes = kernel.sizes(resolved);
      group.sizes = sizes;
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
