// A program in the device's memories (the format is in assembly/walk.as.ts), and the words of it that change: a step's variables,
// the implementation where it depends on the step's rows, and the addresses of tensors that were resized. The program's table is
// in the first memory; the words of each call are in the memory in which the call runs.
//
// Kernels do not check sizes, so they are checked here before a run: once for all calls of one kernel with the same
// parameters, and only after a variable or a tensor has changed.

import type { Kernel, WasmImplementation } from "../../../kernels/index.ts";
import { chosenFor, implementationsIn, type RowChoices } from "../choose.ts";
import { DeviceError, type Executable, type Matrix, type Tensor } from "../device.ts";
import type { Call, Program, Value } from "../program.ts";
import { numbersIn } from "../tensor.ts";
import { Patches } from "./patches.ts";
import { isWritten, planTransfers, type TransferPlan, type PlacedCall } from "./transfers.ts";

/** The bytes of a program in one memory. */
export interface Block {
  readonly address: number;
  readonly byteLength: number;
}

/** The places of a program and of the buffers that it uses. */
export interface Placement {
  /** the memory in which each call runs */
  readonly memories: readonly number[];
  /** by memory; that of the first memory begins with the program's table */
  readonly blocks: ReadonlyMap<number, Block>;
  /** the home memory of a buffer */
  homeOf(buffer: Tensor | Matrix): number;
  /** the address of a buffer in a memory, at home or as a replica */
  addressIn(buffer: Tensor | Matrix, memory: number): number;
  /** the memories that hold a replica of a tensor */
  replicasOf(tensor: Tensor): Iterable<number>;
  /** index in the function table of a kernel, as compiled for a memory */
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
  readonly choices: RowChoices<WasmImplementation>;
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
  readonly #choices: readonly RowChoices<WasmImplementation>[];
  readonly #release: (self: WasmProgram) => void;
  /** undefined until it is encoded, and again once a buffer that it uses has moved to another memory */
  #placement: Placement | undefined;
  readonly #variables = new Map<string, VariableWord[]>();
  readonly #variants = new Map<string, Variant[]>();
  readonly #uses = new Map<Tensor | Matrix, Word[]>();
  readonly #groups = new Map<string, Group>();
  #placed: readonly PlacedCall[] = [];
  /** by range of calls; empty where everything lies in one memory */
  readonly #plans = new Map<number, TransferPlan | undefined>();
  #isSpread = false;
  /** value of each variable in the last step */
  readonly #values = new Map<string, number>();
  #isChecked = false;
  #missing: string | undefined;

  constructor(
    program: Program,
    choices: readonly RowChoices<WasmImplementation>[],
    release: (self: WasmProgram) => void,
  ) {
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
    return this.#placement!.blocks.get(0)!.address;
  }

  /** Its blocks by memory. */
  get blocks(): Placement["blocks"] {
    return this.#placement?.blocks ?? new Map();
  }

  /** Whether it is placed in memory and can be replayed. */
  get isEncoded(): boolean {
    return this.#placement !== undefined;
  }

  /** Whether it uses replicas, or writes tensors that may have some. */
  get isSpread(): boolean {
    return this.#isSpread;
  }

  /** Marks the program as not placed: its memory was given back. */
  leave(): void {
    this.#placement = undefined;
    this.#isSpread = false;
  }

  /** Returns the words of the program by memory, to be written to its blocks, and notes the addresses of the words that change. */
  encode(placement: Placement): Map<number, Uint32Array> {
    this.#placement = placement;
    for (const map of [this.#variables, this.#variants, this.#uses, this.#groups, this.#plans, this.#values])
      map.clear();
    this.#isChecked = false;
    this.#isSpread = false;
    const { calls } = this.program;
    const blocks = new Map(
      [...placement.blocks].map(([memory, { address, byteLength }]) => {
        return [memory, { words: new Uint32Array(byteLength / 4), next: 0, address }];
      }),
    );
    const table = blocks.get(0)!;
    table.next = calls.length * ENTRY_WORDS;
    this.#placed = calls.map((call, i) => {
      const { kernel } = call;
      const memory = placement.memories[i]!;
      const block = blocks.get(memory)!;
      const { words } = block;
      const here = (): Word => ({ memory, address: block.address + block.next * 4 });
      table.words[i * ENTRY_WORDS + 1] = here().address;
      this.#encodeKernel(call, i, memory, table);
      for (const name of Object.keys(kernel.buffers)) {
        const buffer = call.buffers[name];
        if (buffer !== undefined) {
          words[block.next] = placement.addressIn(buffer, memory);
          append(this.#uses, buffer, here());
          const isWeights = "role" in buffer && buffer.role === "weights" && isWritten(kernel.buffers[name]!);
          this.#isSpread ||= memory !== placement.homeOf(buffer) || isWeights;
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
    const choices = this.#choices[i]!;
    const rows = call.params["rows"];
    if (typeof rows === "object" && choices.length > 1) {
      const address = table.address + i * ENTRY_WORDS * 4;
      append(this.#variants, rows.variable, { address, memory, choices, call });
      return;
    }
    table.words[i * ENTRY_WORDS] = this.#placement!.placeOf(choices[0]!.implementation.wasm, memory);
  }

  /** Adds patches of all words that hold the address of a tensor, which has moved within its memory. */
  moved(tensor: Tensor, address: number, patches: Patches): void {
    this.#isChecked = false;
    for (const word of this.#uses.get(tensor) ?? []) patches.add(word.memory, word.address, address);
  }

  /** Forgets the planned transfers, because replicas of its buffers were added or removed. */
  replanTransfers(): void {
    this.#plans.clear();
  }

  uses(buffer: Tensor | Matrix): boolean {
    return this.#uses.has(buffer);
  }

  /** Notes that a buffer was destroyed: a program that uses it cannot be replayed. */
  destroyed(buffer: Tensor | Matrix): void {
    if (this.#uses.has(buffer)) this.#missing = buffer.label;
  }

  /** Throws a DeviceError if a buffer that the program uses was destroyed. */
  throwIfMissing(): void {
    if (this.#missing === undefined) return;
    throw new DeviceError("failed", `${this.program.label}: "${this.#missing}", which it uses, was destroyed`);
  }

  /** The segments of calls begin..end with their transfers between memories, for the variables of `prepareStep`; see Replay. */
  segments(begin: number, end: number): Uint32Array | undefined {
    if (!this.#isSpread) return undefined;
    const placement = this.#placement!;
    const key = begin * (this.#placed.length + 1) + end;
    if (!this.#plans.has(key)) {
      this.#plans.set(key, planTransfers(this.#placed, begin, end, placement.homeOf, placement.replicasOf));
    }
    return this.#plans.get(key)?.words(placement.addressIn);
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
      for (const { address, memory, choices, call } of this.#variants.get(name) ?? []) {
        const one = chosenFor(choices, Math.max(1, value));
        if (!one)
          throw new DeviceError("failed", `${call.label}: nothing here computes ${call.kernel.name} for ${value} rows`);
        patches.add(0, address, this.#placement!.placeOf(one.implementation.wasm, memory));
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
