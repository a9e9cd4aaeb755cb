// The device's allocations: tensors and matrices, each with one home memory; replicas of tensors in the memories of calls that use
// them; and programs. A buffer that moves to another memory leaves the programs that use it without a place until they run next.
//
// With one memory there are no replicas, and no buffer ever moves to another memory.

import { type DeviceMemory, DeviceError, type Matrix, type Tensor } from "../device.ts";
import { roundUp } from "./allocator.ts";
import type { WorkerPool } from "./worker-pool.ts";
import type { Memories } from "./memories.ts";
import type { Place } from "./messages.ts";
import { Patches } from "./patches.ts";
import { matricesOf, memoriesOf } from "./transfers.ts";
import { type Block, programWords, type WasmProgram } from "./wasm-program.ts";

interface Replica {
  readonly address: number;
  readonly users: Set<WasmProgram>;
}
interface Allocation extends Place {
  readonly byteLength: number;
  /** the buffer whose memory it should share */
  readonly near: Tensor | Matrix | undefined;
  /** by memory, each of the same byteLength */
  readonly replicas: Map<number, Replica>;
}

/** All tensors, matrices and programs of one device, and their places in memory. */
export class Allocations {
  readonly #pool: WorkerPool;
  readonly #memories: Memories;
  readonly #held = new Map<Tensor | Matrix, Allocation>();
  readonly #programs = new Set<WasmProgram>();

  constructor(pool: WorkerPool, memories: Memories) {
    this.#pool = pool;
    this.#memories = memories;
  }

  /** A tensor of zeros. Throws a DeviceError where there is no room. */
  addTensor(tensor: Tensor, near?: Tensor | Matrix): void {
    const byteLength = tensor.length * 4;
    const memories = near && [this.of(near).memory];
    const place = this.#memories.take(tensor.label, byteLength, { role: tensor.role, near: memories });
    this.#pool.order({ kind: "zero", ...place, byteLength });
    this.#held.set(tensor, { ...place, byteLength, near, replicas: new Map() });
  }

  /** Registers a matrix whose bytes are at a place already. */
  addMatrix(matrix: Matrix, place: Place): void {
    this.#held.set(matrix, { ...place, byteLength: matrix.byteLength, near: undefined, replicas: new Map() });
  }

  /** A copy of a matrix, in the same memory if there is room. */
  copyMatrix(matrix: Matrix): Matrix {
    const { memory, address, byteLength } = this.of(matrix);
    const to = this.#memories.take(matrix.label, byteLength, { role: "weights", near: [memory] });
    this.#copy({ memory, address }, to, byteLength);
    const copy: Matrix = { ...matrix };
    this.addMatrix(copy, to);
    return copy;
  }

  /** Grows or shrinks a tensor, which may move to another memory. */
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
      if (words.length > 0) this.#pool.order({ kind: "patch", patches: words });
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

  /** The place of a resized tensor: the memory of the tensor that it should be near, or else its own, if there is room. */
  #nextPlace(tensor: Tensor, length: number): Place {
    const { memory, near } = this.of(tensor);
    const byteLength = length * 4;
    if (length < tensor.length) {
      // a tensor that shrinks stays in its memory, whatever reserve is left there
      const address = this.#memories.tryIn(memory, byteLength, "activations");
      if (address !== undefined) return { memory, address };
    }
    const leader = near && !("columns" in near) ? this.#held.get(near) : undefined;
    const request = { role: tensor.role, near: leader ? [leader.memory, memory] : [memory] };
    return this.#memories.take(tensor.label, byteLength, request);
  }

  destroy(buffer: Tensor | Matrix): void {
    const held = this.#held.get(buffer);
    if (held === undefined) return;
    this.#held.delete(buffer);
    for (const program of this.#programs) program.destroyed(buffer);
    this.#dropReplicas(held);
    this.#memories.free(held, held.byteLength);
  }

  /** The allocation of a tensor or matrix. Throws a DeviceError where it has none. */
  of(buffer: Tensor | Matrix): Allocation {
    const held = this.#held.get(buffer);
    if (held !== undefined) return held;
    this.#pool.throwIfEnded();
    throw new DeviceError("failed", `"${buffer.label}" is not of this device, or destroyed`);
  }

  /** The places to which new numbers of a tensor must be written: its home and, for weights, the replicas. */
  targetsOf(tensor: Tensor): readonly Place[] {
    const held = this.of(tensor);
    if (tensor.role !== "weights" || held.replicas.size === 0) return [held];
    return [held, ...[...held.replicas].map(([memory, { address }]) => ({ memory, address }))];
  }

  /** Places a program. Throws a DeviceError where there is no room for it or for the replicas that it needs. */
  addProgram(program: WasmProgram): void {
    this.#place(program);
    this.#programs.add(program);
  }

  /** Places a program unless it is placed. */
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

  /** Places a program; if there is no room, takes it from the replicas of other programs, which get new ones when they run. */
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
        placeOf: (kernel, memory) => this.#pool.knownPlaceOf(kernel, memory),
      });
      for (const [memory, data] of written) {
        const { address } = blocks.get(memory)!;
        this.#pool.order({ kind: "write", memory, address, data }, [data.buffer as ArrayBuffer]);
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
        this.#replanTransfers(buffer);
      }
    }
  }

  /** Makes a replica of a tensor in a memory unless it is there, for the use of a program. */
  #replicate(tensor: Tensor, memory: number, user: WasmProgram): void {
    const held = this.of(tensor);
    if (held.memory === memory) return;
    let replica = held.replicas.get(memory);
    if (!replica) {
      replica = { address: this.#memories.takeIn(memory, tensor.label, held.byteLength), users: new Set() };
      held.replicas.set(memory, replica);
      this.#replanTransfers(tensor);
      // the other replicas are filled by the transfers of programs
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

  /** Moves the matrices of a call into one memory: that of one of them, or else one with room for all. */
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

  /** Moves a buffer: copies the bytes that fit, zeros the rest, and frees the old place. */
  #move(buffer: Tensor | Matrix, held: Allocation, to: Place, byteLength: number): void {
    const kept = Math.min(held.byteLength, byteLength);
    this.#copy(held, to, kept, byteLength - kept);
    this.#memories.free(held, held.byteLength);
    this.#dropReplicas(held);
    this.#held.set(buffer, { ...held, ...to, byteLength });
  }

  /** Copies bytes, and zeros what follows them. */
  #copy({ memory, address }: Place, to: Place, byteLength: number, zeros = 0): void {
    this.#pool.order({ kind: "move", from: { memory, address }, to, byteLength, zeros });
  }

  #dropReplicas({ byteLength, replicas }: Allocation): void {
    for (const [memory, { address }] of replicas) this.#memories.free({ memory, address }, byteLength);
    replicas.clear();
  }

  /** Makes programs that use these weights plan their transfers anew, because the replicas have changed. */
  #replanTransfers(buffer: Tensor | Matrix): void {
    if (!("role" in buffer) || buffer.role !== "weights") return;
    for (const program of this.#programs) if (program.uses(buffer)) program.replanTransfers();
  }

  /** Takes programs that use a buffer out of memory, because the buffer has moved; they are placed again before they run. */
  #displace(buffer: Tensor | Matrix): void {
    for (const program of this.#programs) if (program.uses(buffer)) this.#unplace(program);
  }
}

/** Bytes of matrices that follow each other. */
function bytesTogether(matrices: readonly Matrix[]): number {
  return matrices.reduce((sum, { byteLength }) => sum + roundUp(byteLength), 0);
}
