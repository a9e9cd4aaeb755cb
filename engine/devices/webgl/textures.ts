// The textures of tensors and matrices: created within the driver's limits, written, resized, and counted to the byte.
//
// A tensor is an f32 texture with four numbers in a texel. Integers are stored as f32 too, which is exact below 2^24. The host keeps a copy
// of the integers that it writes, because it computes from them where passes draw. A matrix is one texture; a matrix that is too large
// for one is several textures of whole rows.

import {
  decodeWeights,
  isQuantized,
  matrixByteLength,
  packRows,
  type CachePacking,
  type StoredFormat,
} from "../../../kernels/index.ts";
import { UnsupportedError } from "../../../loaders/index.ts";
import {
  DeviceError,
  type DeviceMemory,
  type Matrix,
  type MatrixSource,
  type Tensor,
  type TensorRole,
} from "../device.ts";
import type { GlHandle, GlTexture, WebGl } from "./gl.ts";
import { maxTexels, rectanglesOf, TEXEL, textureSize, type Rectangle } from "./regions.ts";

/** A texture in the form that gpu.js accepts as an argument and as a result. */
export class TextureArgument {
  readonly type = "ArrayTexture(4)";
  readonly context: WebGl;
  size: [number, number];
  dimensions: [number, number, number];
  texture: GlTexture;

  constructor(context: WebGl, texture: GlTexture, width: number, height: number) {
    this.context = context;
    this.texture = texture;
    this.size = [width, height];
    this.dimensions = [width * height, 1, 1];
  }

  /** gpu.js calls this before it draws, to learn whether the texture has changed; true makes it attach this texture. */
  beforeMutate(): boolean {
    return true;
  }

  /** gpu.js deletes a kernel's result together with the kernel. These textures belong to the device and stay. */
  delete(): void {}
}

/** A tensor as a texture; `held` changes when it is resized. */
export interface GlTensor extends Tensor {
  length: number;
  held: TextureArgument;
  /** of a tensor of integers: the host's copy of what it wrote */
  words: Uint32Array | undefined;
  /** how many of the first integers were written on the GPU and may differ from the host's copy */
  unknown: number;
  /** the integers as bits of f32; made when a pass asks for them */
  bits: TextureArgument | undefined;
}

/** Rows begin..end of a matrix in a texture of their own. */
export interface MatrixPiece {
  readonly begin: number;
  readonly end: number;
  readonly held: TextureArgument;
}
export interface GlMatrix extends Matrix {
  readonly pieces: readonly MatrixPiece[];
}

/** Bytes of a matrix that one read and upload takes. */
const UPLOAD_BYTES = 8 << 20;
const FLOAT_TEXEL_BYTES = 16;
const HALF_TEXEL_BYTES = 8;
/** A matrix is split at multiples of four rows, so that no texel of a result holds numbers of two pieces. */
const PIECE_ROWS = 4;

/** Makes, writes, resizes, counts and deletes the textures of one device. */
export class Textures {
  readonly gl: WebGl;
  readonly maxSize: number;
  /** bound in place of an absent buffer: one texel of zeros */
  readonly absent: TextureArgument;
  readonly #tensors = new Set<GlTensor>();
  readonly #matrices = new Set<GlMatrix>();
  readonly #temporaries = new Map<string, TextureArgument>();
  readonly #framebuffer: GlHandle;
  readonly #guard: () => void;

  constructor(gl: WebGl, guard: () => void, maxSize = Number.POSITIVE_INFINITY) {
    this.gl = gl;
    this.#guard = guard;
    this.maxSize = Math.min(maxSize, Number(gl.getParameter(gl.MAX_TEXTURE_SIZE)));
    this.#framebuffer = gl.createFramebuffer()!;
    this.absent = this.#make("absent", 1);
  }

  createTensor(
    label: string,
    type: "f32" | "u32",
    length: number,
    role: TensorRole,
    packing: CachePacking | undefined,
  ): GlTensor {
    const held = this.#make(`tensor "${label}"`, Math.ceil(length / TEXEL));
    const words = type === "u32" ? new Uint32Array(length) : undefined;
    const tensor: GlTensor = { label, type, length, role, packing, held, words, unknown: 0, bits: undefined };
    this.#tensors.add(tensor);
    return tensor;
  }

  /** Returns the tensor with its type. Throws a DeviceError for a tensor that is destroyed or belongs to another device. */
  tensor(tensor: Tensor): GlTensor {
    if (this.#tensors.has(tensor as GlTensor)) return tensor as GlTensor;
    throw new DeviceError("failed", `tensor "${tensor.label}" is destroyed, or belongs to another device`);
  }

  /** Returns the matrix with its type. Throws a DeviceError for a matrix that is destroyed or belongs to another device. */
  matrix(matrix: Matrix): GlMatrix {
    if (this.#matrices.has(matrix as GlMatrix)) return matrix as GlMatrix;
    throw new DeviceError("failed", `matrix "${matrix.label}" is destroyed, or belongs to another device`);
  }

  resize(tensor: GlTensor, length: number): void {
    if (length === tensor.length) return;
    const old = tensor.held;
    const kept = Math.min(length, tensor.length);
    tensor.held = this.#make(`tensor "${tensor.label}"`, Math.ceil(length / TEXEL));
    this.#copy(old, tensor.held, Math.ceil(kept / TEXEL));
    this.gl.deleteTexture(old.texture);
    tensor.length = length;
    if (kept % TEXEL > 0 && length > kept) {
      this.#fill(
        tensor.held,
        rectanglesOf(kept, Math.min(length, Math.ceil(kept / TEXEL) * TEXEL), tensor.held.size[0]),
        [],
      );
    }
    if (!tensor.words) return;
    const words = new Uint32Array(length);
    words.set(tensor.words.subarray(0, length));
    tensor.words = words;
    if (!tensor.bits) return;
    this.gl.deleteTexture(tensor.bits.texture);
    tensor.bits = undefined;
    this.bitsOf(tensor);
  }

  destroy(thing: Tensor | Matrix): void {
    if (this.#tensors.delete(thing as GlTensor)) {
      const { held, bits } = thing as GlTensor;
      this.gl.deleteTexture(held.texture);
      if (bits) this.gl.deleteTexture(bits.texture);
    } else if (this.#matrices.delete(thing as GlMatrix)) {
      for (const { held } of (thing as GlMatrix).pieces) this.gl.deleteTexture(held.texture);
    }
  }

  destroyAll(): void {
    for (const thing of [...this.#tensors, ...this.#matrices]) this.destroy(thing);
    for (const { texture } of this.#temporaries.values()) this.gl.deleteTexture(texture);
    this.#temporaries.clear();
    this.gl.deleteTexture(this.absent.texture);
    this.gl.deleteFramebuffer(this.#framebuffer);
  }

  /** A texture for intermediate results of a call. Calls that use one name share the texture. */
  temporary(name: string, texels: number): TextureArgument {
    const held = this.#temporaries.get(name);
    if (held && held.dimensions[0] >= texels) return held;
    if (held) this.gl.deleteTexture(held.texture);
    this.#temporaries.delete(name);
    // grows by half, so that a context that grows by a token does not need a new texture for each token
    const room = held ? Math.min(Math.ceil(texels * 1.5), maxTexels(this.maxSize)) : texels;
    const made = this.#make(`temporary "${name}"`, Math.max(room, texels));
    this.#temporaries.set(name, made);
    return made;
  }

  write(tensor: GlTensor, data: Float32Array | Uint32Array, offset: number): void {
    if (data.length === 0) return;
    const end = offset + data.length;
    if (!tensor.words) {
      this.#upload(tensor.held, data as Float32Array, offset, end);
      return;
    }
    tensor.words.set(data, offset);
    if (offset === 0 && end >= tensor.unknown) tensor.unknown = 0;
    this.#upload(tensor.held, Float32Array.from(data), offset, end);
    if (tensor.bits) this.#upload(tensor.bits, bitsAsFloats(data as Uint32Array), offset, end);
  }

  /** The tensor's integers. Integers that were written on the GPU are read back first, which blocks the calling thread. */
  wordsOf(tensor: GlTensor): Uint32Array {
    const { words, unknown, held } = tensor;
    if (!words) throw new DeviceError("failed", `tensor "${tensor.label}" holds f32; integers were expected`);
    if (unknown === 0) return words;
    const { gl } = this;
    const [width] = held.size;
    const lines = Math.ceil(unknown / TEXEL / width);
    const across = lines > 1 ? width : Math.ceil(unknown / TEXEL);
    const pixels = new Float32Array(across * lines * TEXEL);
    this.bindForReading(held);
    gl.readPixels(0, 0, across, lines, gl.RGBA, gl.FLOAT, pixels);
    words.set(Uint32Array.from(pixels.subarray(0, unknown)));
    tensor.unknown = 0;
    return words;
  }

  /** The tensor's integers as bits of f32. */
  bitsOf(tensor: GlTensor): TextureArgument {
    if (tensor.bits) return tensor.bits;
    if (!tensor.words) throw new DeviceError("failed", `tensor "${tensor.label}" holds f32, which are no bits`);
    tensor.bits = this.#make(`bits of "${tensor.label}"`, Math.ceil(tensor.length / TEXEL));
    this.#upload(tensor.bits, bitsAsFloats(tensor.words), 0, tensor.length);
    return tensor.bits;
  }

  /** Binds a texture for reading pixels from it. */
  bindForReading(held: TextureArgument): void {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, held.texture, 0);
  }

  count(): DeviceMemory {
    const bytes = { weights: 0, cache: 0, activations: 0 };
    for (const { role, held, bits } of this.#tensors) {
      bytes[role] += (held.dimensions[0] + (bits?.dimensions[0] ?? 0)) * FLOAT_TEXEL_BYTES;
    }
    for (const { byteLength } of this.#matrices) bytes.weights += byteLength;
    for (const held of this.#temporaries.values()) bytes.activations += held.dimensions[0] * FLOAT_TEXEL_BYTES;
    return bytes;
  }

  async createMatrix(source: MatrixSource, signal?: AbortSignal): Promise<GlMatrix> {
    const { label, rows, columns } = source;
    const format = source.quantize ?? source.format;
    if (isQuantized(format)) {
      throw new UnsupportedError(
        `device "webgl" keeps weights as stored, in f32 or f16, not as ${format} ("${label}")`,
      );
    }
    const isHalf = format === "f16";
    const rowTexels = matrixByteLength({ rows: 1, columns, format: "f32", layout: "rows" }) / FLOAT_TEXEL_BYTES;
    const room = maxTexels(this.maxSize);
    const rowsOfPiece = rows * rowTexels <= room ? rows : Math.floor(room / rowTexels / PIECE_ROWS) * PIECE_ROWS;
    if (rowsOfPiece === 0) {
      throw new DeviceError(
        "out-of-memory",
        `${PIECE_ROWS} rows of matrix "${label}" take ${PIECE_ROWS * rowTexels} texels; a texture has ${room} here`,
      );
    }
    const pieces: MatrixPiece[] = [];
    try {
      for (let begin = 0; begin < rows; begin += rowsOfPiece) {
        const end = Math.min(rows, begin + rowsOfPiece);
        pieces.push({ begin, end, held: this.#make(`matrix "${label}"`, (end - begin) * rowTexels, isHalf) });
      }
      for (const piece of pieces) await this.#uploadRows(source, format, piece, rowTexels, signal);
    } catch (error) {
      for (const { held } of pieces) this.gl.deleteTexture(held.texture);
      throw error;
    }
    const texels = pieces.reduce((sum, { held }) => sum + held.dimensions[0], 0);
    const byteLength = texels * (isHalf ? HALF_TEXEL_BYTES : FLOAT_TEXEL_BYTES);
    const matrix: GlMatrix = { label, rows, columns, format, byteLength, pieces };
    this.#matrices.add(matrix);
    return matrix;
  }

  async #uploadRows(
    source: MatrixSource,
    format: StoredFormat,
    piece: MatrixPiece,
    rowTexels: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const { columns } = source;
    const step = Math.max(1, Math.floor(UPLOAD_BYTES / (rowTexels * FLOAT_TEXEL_BYTES)));
    const kept: StoredFormat = format === "bf16" ? "f32" : format;
    const shape = { rows: piece.end - piece.begin, columns, format: kept, layout: "rows" } as const;
    for (let begin = piece.begin; begin < piece.end; begin += step) {
      const end = Math.min(piece.end, begin + step);
      signal?.throwIfAborted();
      const bytes = await source.read(begin, end, signal);
      this.#guard();
      const rows = format === "bf16" ? new Uint8Array(decodeWeights(format, bytes).buffer) : bytes;
      const packed = new Uint8Array(matrixByteLength({ ...shape, rows: end - begin }));
      packRows(shape, rows, begin, packed, begin);
      const numbers = kept === "f16" ? new Uint16Array(packed.buffer) : new Float32Array(packed.buffer);
      const first = (begin - piece.begin) * rowTexels * TEXEL;
      this.#upload(piece.held, numbers, first, first + numbers.length);
    }
  }

  /** Creates a texture of zeros. Throws a DeviceError if the driver does not allow its size or memory is short. */
  #make(label: string, texels: number, isHalf = false): TextureArgument {
    this.#guard();
    const { gl, maxSize } = this;
    const most = maxTexels(maxSize);
    if (!(texels <= most)) {
      throw new DeviceError("out-of-memory", `${label} takes ${texels} texels; a texture has ${most} at most here`);
    }
    const { width, height } = textureSize(texels, maxSize);
    const texture = gl.createTexture();
    if (!texture) throw new DeviceError("lost", `${label}: the WebGL context is lost`);
    this.#bind(texture);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
      gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
    }
    gl.texStorage2D(gl.TEXTURE_2D, 1, isHalf ? gl.RGBA16F : gl.RGBA32F, width, height);
    if (gl.getError() === gl.OUT_OF_MEMORY) {
      gl.deleteTexture(texture);
      const bytes = width * height * (isHalf ? HALF_TEXEL_BYTES : FLOAT_TEXEL_BYTES);
      throw new DeviceError("out-of-memory", `${label} takes ${bytes} bytes; the GPU has no room for them`);
    }
    return new TextureArgument(gl, texture, width, height);
  }

  /** Writes numbers begin..end. The other numbers of the first and the last texel stay. */
  #upload(held: TextureArgument, data: Float32Array | Uint16Array, begin: number, end: number): void {
    const { gl } = this;
    const type = data instanceof Uint16Array ? gl.HALF_FLOAT : gl.FLOAT;
    const width = held.size[0];
    for (const rectangle of rectanglesOf(begin, end, width)) {
      const first = (rectangle.y * width + rectangle.x) * TEXEL + rectangle.begin - begin;
      if (rectangle.end - rectangle.begin < TEXEL) {
        this.#fill(held, [rectangle], data.subarray(first, first + rectangle.end - rectangle.begin));
        continue;
      }
      this.#bind(held.texture);
      const count = rectangle.width * rectangle.height * TEXEL;
      const { x, y, width: across, height } = rectangle;
      gl.texSubImage2D(gl.TEXTURE_2D, 0, x, y, across, height, gl.RGBA, type, data.subarray(first, first + count));
    }
  }

  /** Sets channels of single texels by clearing them to `numbers`, or to zeros beyond their end. */
  #fill(held: TextureArgument, rectangles: readonly Rectangle[], numbers: ArrayLike<number>): void {
    const { gl } = this;
    this.bindForReading(held);
    gl.enable(gl.SCISSOR_TEST);
    for (const { x, y, width, height, begin, end } of rectangles) {
      const values = [0, 1, 2, 3].map((channel) => numbers[channel - begin] ?? 0);
      const mask = [0, 1, 2, 3].map((channel) => channel >= begin && channel < end);
      gl.scissor(x, y, width, height);
      gl.colorMask(mask[0]!, mask[1]!, mask[2]!, mask[3]!);
      gl.clearBufferfv(gl.COLOR, 0, values);
    }
    gl.colorMask(true, true, true, true);
  }

  /** Copies the first texels of a texture to another, whose lines may have another length. */
  #copy(from: TextureArgument, to: TextureArgument, texels: number): void {
    const { gl } = this;
    this.bindForReading(from);
    this.#bind(to.texture);
    const width = Math.min(from.size[0], to.size[0]);
    for (let texel = 0; texel < texels;) {
      const lines = from.size[0] === to.size[0] ? Math.max(1, Math.floor((texels - texel) / width)) : 1;
      const count = Math.min(texels - texel, width * lines);
      const [fromX, fromY] = [texel % from.size[0], Math.floor(texel / from.size[0])];
      const [toX, toY] = [texel % to.size[0], Math.floor(texel / to.size[0])];
      const across = Math.min(count, width);
      gl.copyTexSubImage2D(gl.TEXTURE_2D, 0, toX, toY, fromX, fromY, across, count / across);
      texel += count;
    }
  }

  #bind(texture: GlTexture): void {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
  }
}

function bitsAsFloats(words: Uint32Array): Float32Array {
  return new Float32Array(words.slice().buffer);
}
