// What the device holds and where: tensors and matrices, each at home in one memory; replicas of tensors in the memories of calls
// that use them; and programs. What moves to another memory leaves the programs that use it without a place, until they run next.
//
// With one memory there are no replicas, and nothing ever moves to another.

import { type DeviceMemory, DeviceError, type Matrix, type Tensor } from "../device.ts";
import { roundUp } from "./allocator.ts";
import type { Crew } from "./crew.ts";
import type { Memories } from "./memories.ts";
import type { Place } from "./messages.ts";
import { Patches } from "./patches.ts";
import { matricesOf, memoriesOf } from "./stations.ts";
import { type Block, programWords, type WasmProgram } from "./wasm-program.ts";

interface Replica {
  readonly address: number;
  readonly users: Set<WasmProgram>;
}
interface Held extends Place {
  readonly byteLength: number;
  /** what it is to lie near */
  readonly near: Tensor | Matrix | undefined;
  /** by memory; each as long as it is itself */
  readonly replicas: Map<number, Replica>;
}

export class Holdings {
  readonly #crew: Crew;
  readonly #memories: Memories;
  readonly #held = new Map<Tensor | Matrix, Held>();
  readonly #programs = new Set<WasmProgram>();

  constructor(crew: Crew, memories: Memories) {
    this.#crew = crew;
    this.#memories = memories;
  }

  /** A tensor of zeros. Throws a DeviceError where there is no room. */
  addTensor(tensor: Tensor, near?: Tensor | Matrix): void {
    const byteLength = tensor.length * 4;
    const memories = near && [this.of(near).memory];
    const place = this.#memories.take(tensor.label, byteLength, { role: tensor.role, near: memories });
    this.#crew.order({ kind: "zero", ...place, byteLength });
    this.#held.set(tensor, { ...place, byteLength, near, replicas: new Map() });
  }

  /** Takes over bytes at a place. */
  addMatrix(matrix: Matrix, place: Place): void {
    this.#held.set(matrix, { ...place, byteLength: matrix.byteLength, near: undefined, replicas: new Map() });
  }

  /** A copy of a matrix, beside it if there is room. */
  copyMatrix(matrix: Matrix): Matrix {
    const { memory, address, byteLength } = this.of(matrix);
    const to = this.#memories.take(matrix.label, byteLength, { role: "weights", near: [memory] });
    this.#copy({ memory, address }, to, byteLength);
    const copy: Matrix = { ...matrix };
    this.addMatrix(copy, to);
    return copy;
  }

  /** Grows or shrinks a tensor; it may come to lie in another memory. */
  resize(tensor: Tensor, length: number): void {
    const held = this.of(tensor);
    const { memory, replicas } = held;
    const byteLength = length * 4;
    const to = this.#nextPlace(tensor, length);
    const hasReplicas = replicas.size > 0;
    this.#move(tensor, held, to, byteLength);
    (tensor as { length: number }).length = length;
    if (to.memory === memory && !hasReplicas) {
      const patches = new Patches();
      for (const program of this.#programs) if (program.isEncoded) program.moved(tensor, to.address, patches);
      const words = patches.build();
      if (words.length > 0) this.#crew.order({ kind: "patch", patches: words });
      return;
    }
    this.#displace(tensor);
    if (to.memory === memory) return;
    for (const [follower, own] of this.#held) {
      if (own.near !== tensor || own.memory === to.memory || "columns" in follower) continue;
      const address = this.#memories.tryIn(to.memory, own.byteLength, follower.role);
      if (address === undefined) continue;
      this.#move(follower, own, { memory: to.memory, address }, own.byteLength);
      this.#displace(follower);
    }
  }

  /** Where a resized tensor goes: its memory if there is room, or before that the memory of the cache that it is to lie near. */
  #nextPlace(tensor: Tensor, length: number): Place {
    const { memory, near } = this.of(tensor);
    const byteLength = length * 4;
    if (length < tensor.length) {
      // what shrinks stays where it is, whatever reserve is left there
      const address = this.#memories.tryIn(memory, byteLength, "activations");
      if (address !== undefined) return { memory, address };
    }
    const leader = near && !("columns" in near) ? this.#held.get(near) : undefined;
    const wish = { role: tensor.role, near: leader ? [leader.memory, memory] : [memory] };
    return this.#memories.take(tensor.label, byteLength, wish);
  }

  destroy(buffer: Tensor | Matrix): void {
    const held = this.#held.get(buffer);
    if (held === undefined) return;
    this.#held.delete(buffer);
    for (const program of this.#programs) program.destroyed(buffer);
    this.#dropReplicas(held);
    this.#memories.free(held, held.byteLength);
  }

  /** Where a tensor or a matrix is at home. Throws a DeviceError where it is not held. */
  of(buffer: Tensor | Matrix): Held {
    const held = this.#held.get(buffer);
    if (held !== undefined) return held;
    this.#crew.throwIfEnded();
    throw new DeviceError("failed", `"${buffer.label}" is not of this device, or destroyed`);
  }

  /** Everywhere that new numbers of a tensor must be written: its home and, of weights, the replicas. */
  targetsOf(tensor: Tensor): readonly Place[] {
    const held = this.of(tensor);
    if (tensor.role !== "weights" || held.replicas.size === 0) return [held];
    return [held, ...[...held.replicas].map(([memory, { address }]) => ({ memory, address }))];
  }

  /** Gives a program a place. Throws a DeviceError where it finds no room for itself or for replicas of what it uses. */
  addProgram(program: WasmProgram): void {
    this.#place(program);
    this.#programs.add(program);
  }

  /** Sees to it that a program has a place. */
  ensurePlaced(program: WasmProgram): void {
    if (program.isEncoded) return;
    program.throwIfMissing();
    this.#place(program);
  }

  hasProgram(program: WasmProgram): boolean {
    return this.#programs.has(program);
  }

  /** Frees what a program takes. */
  removeProgram(program: WasmProgram): void {
    if (this.#programs.delete(program)) this.#unplace(program);
  }

  /** Bytes in use by role; replicas count as activations. */
  bytes(): DeviceMemory {
    const bytes = { weights: 0, cache: 0, activations: 0 };
    for (const [buffer, { byteLength, replicas }] of this.#held) {
      bytes["role" in buffer ? buffer.role : "weights"] += byteLength;
      bytes.activations += byteLength * replicas.size;
    }
    return bytes;
  }

  clear(): void {
    this.#held.clear();
    this.#programs.clear();
  }

  /** Places a program, if need be where other programs' replicas are: those get theirs anew when they run. */
  #place(program: WasmProgram): void {
    try {
      this.#tryToPlace(program);
    } catch (error) {
      const others = [...this.#programs].filter((other) => other !== program && other.isSpread);
      if (!(error instanceof DeviceError && error.kind === "out-of-memory") || others.length === 0) throw error;
      for (const other of others) this.#unplace(other);
      this.#tryToPlace(program);
    }
  }

  #tryToPlace(program: WasmProgram): void {
    const { calls, label } = program.program;
    for (const call of calls) this.#gather(matricesOf(call));
    const homeOf = (buffer: Tensor | Matrix) => this.of(buffer).memory;
    const memories = memoriesOf(calls, homeOf);
    const blocks = new Map<number, Block>();
    try {
      for (const [memory, words] of programWords(program.program, memories)) {
        const byteLength = words * 4;
        blocks.set(memory, { address: this.#memories.takeIn(memory, label, byteLength), byteLength });
      }
      for (const [i, { buffers }] of calls.entries()) {
        for (const buffer of Object.values(buffers)) {
          if (buffer && !("columns" in buffer)) this.#replicate(buffer, memories[i]!, program);
        }
      }
      const written = program.encode({
        memories,
        blocks,
        homeOf,
        addressIn: (buffer, memory) => this.#addressIn(buffer, memory),
        replicasOf: (tensor) => this.of(tensor).replicas.keys(),
        placeOf: (kernel, memory) => this.#crew.knownPlaceOf(kernel, memory),
      });
      for (const [memory, data] of written) {
        const { address } = blocks.get(memory)!;
        this.#crew.order({ kind: "write", memory, address, data }, [data.buffer as ArrayBuffer]);
      }
    } catch (error) {
      program.leave();
      this.#giveBack(program, blocks);
      throw error;
    }
  }

  #unplace(program: WasmProgram): void {
    const { blocks } = program;
    program.leave();
    this.#giveBack(program, blocks);
  }

  #giveBack(program: WasmProgram, blocks: ReadonlyMap<number, Block>): void {
    for (const [memory, { address, byteLength }] of blocks) this.#memories.free({ memory, address }, byteLength);
    for (const [buffer, { byteLength, replicas }] of this.#held) {
      for (const [memory, { address, users }] of replicas) {
        if (!users.delete(program) || users.size > 0) continue;
        replicas.delete(memory);
        this.#memories.free({ memory, address }, byteLength);
        this.#reroute(buffer);
      }
    }
  }

  /** Sees to it that a program finds a tensor in a memory. */
  #replicate(tensor: Tensor, memory: number, user: WasmProgram): void {
    const held = this.of(tensor);
    if (held.memory === memory) return;
    let replica = held.replicas.get(memory);
    if (!replica) {
      replica = { address: this.#memories.takeIn(memory, tensor.label, held.byteLength), users: new Set() };
      held.replicas.set(memory, replica);
      this.#reroute(tensor);
      // what else there is to carry, programs carry
      if (tensor.role === "weights") this.#copy(held, { memory, address: replica.address }, held.byteLength);
    }
    replica.users.add(user);
  }

  #addressIn(buffer: Tensor | Matrix, memory: number): number {
    const held = this.of(buffer);
    const place = held.memory === memory ? held : held.replicas.get(memory);
    if (place !== undefined) return place.address;
    throw new DeviceError("failed", `"${buffer.label}" lies in memory ${held.memory}, and is wanted in ${memory}`);
  }

  /** Moves the matrices of a call to one memory unless they are: to that of one of them, or where there is room for all. */
  #gather(matrices: readonly Matrix[]): void {
    const homes = new Set(matrices.map((matrix) => this.of(matrix).memory));
    if (homes.size < 2) return;
    const moveTo = (moving: readonly Matrix[], { memory, address }: Place) => {
      for (const matrix of moving) {
        const held = this.of(matrix);
        this.#move(matrix, held, { memory, address }, held.byteLength);
        this.#displace(matrix);
        address += roundUp(held.byteLength);
      }
    };
    for (const memory of homes) {
      const moving = matrices.filter((matrix) => this.of(matrix).memory !== memory);
      const address = this.#memories.tryIn(memory, bytesTogether(moving), "weights");
      if (address !== undefined) return moveTo(moving, { memory, address });
    }
    const label = matrices.map((matrix) => matrix.label).join(", ");
    moveTo(matrices, this.#memories.take(label, bytesTogether(matrices), { role: "weights" }));
  }

  /** Moves the numbers that fit, the rest are zeros, and gives back where they were. */
  #move(buffer: Tensor | Matrix, held: Held, to: Place, byteLength: number): void {
    const kept = Math.min(held.byteLength, byteLength);
    this.#copy(held, to, kept, byteLength - kept);
    this.#memories.free(held, held.byteLength);
    this.#dropReplicas(held);
    this.#held.set(buffer, { ...held, ...to, byteLength });
  }

  /** Copies bytes, and zeros what follows them. */
  #copy({ memory, address }: Place, to: Place, byteLength: number, zeros = 0): void {
    this.#crew.order({ kind: "move", from: { memory, address }, to, byteLength, zeros });
  }

  #dropReplicas({ byteLength, replicas }: Held): void {
    for (const [memory, { address }] of replicas) this.#memories.free({ memory, address }, byteLength);
    replicas.clear();
  }

  /** Weights have other replicas than before: who writes them must carry them elsewhere. */
  #reroute(buffer: Tensor | Matrix): void {
    if (!("role" in buffer) || buffer.role !== "weights") return;
    for (const program of this.#programs) if (program.uses(buffer)) program.reroute();
  }

  /** A buffer is elsewhere now: programs that use it are placed anew before they run. */
  #displace(buffer: Tensor | Matrix): void {
    for (const program of this.#programs) if (program.uses(buffer)) this.#unplace(program);
  }
}

/** Bytes that matrices take side by side. */
function bytesTogether(matrices: readonly Matrix[]): number {
  return matrices.reduce((sum, { byteLength }) => sum + roundUp(byteLength), 0);
}
