// The part of WebGL2 that the device uses. The project is compiled without the DOM library, so it is declared here.

/** Opaque objects of a context. */
export type GlTexture = object & { readonly __texture?: never };
export type GlHandle = object;

/** A WebGL2 context: the methods and constants of `WebGL2RenderingContext` that the device uses. */
export interface WebGl {
  readonly canvas: WebGlCanvas;
  getContextAttributes(): unknown;
  getExtension(name: string): object | null;
  getParameter(name: number): unknown;
  getError(): number;
  isContextLost(): boolean;

  createTexture(): GlTexture | null;
  deleteTexture(texture: GlTexture | null): void;
  activeTexture(unit: number): void;
  bindTexture(target: number, texture: GlTexture | null): void;
  texParameteri(target: number, name: number, value: number): void;
  texStorage2D(target: number, levels: number, format: number, width: number, height: number): void;
  texSubImage2D(
    target: number,
    level: number,
    x: number,
    y: number,
    width: number,
    height: number,
    format: number,
    type: number,
    data: ArrayBufferView,
  ): void;
  copyTexSubImage2D(
    target: number,
    level: number,
    toX: number,
    toY: number,
    x: number,
    y: number,
    width: number,
    height: number,
  ): void;
  pixelStorei(name: number, value: number): void;

  createFramebuffer(): GlHandle | null;
  deleteFramebuffer(framebuffer: GlHandle | null): void;
  bindFramebuffer(target: number, framebuffer: GlHandle | null): void;
  framebufferTexture2D(
    target: number,
    attachment: number,
    kind: number,
    texture: GlTexture | null,
    level: number,
  ): void;
  clearBufferfv(buffer: number, index: number, values: readonly number[]): void;

  createVertexArray(): GlHandle | null;
  deleteVertexArray(array: GlHandle | null): void;
  bindVertexArray(array: GlHandle | null): void;

  enable(what: number): void;
  scissor(x: number, y: number, width: number, height: number): void;
  viewport(x: number, y: number, width: number, height: number): void;
  colorMask(red: boolean, green: boolean, blue: boolean, alpha: boolean): void;
  drawArrays(mode: number, first: number, count: number): void;

  createBuffer(): GlHandle | null;
  deleteBuffer(buffer: GlHandle | null): void;
  bindBuffer(target: number, buffer: GlHandle | null): void;
  bufferData(target: number, size: number, usage: number): void;
  getBufferSubData(target: number, offset: number, into: ArrayBufferView): void;
  readPixels(
    x: number,
    y: number,
    width: number,
    height: number,
    format: number,
    type: number,
    into: number | Float32Array,
  ): void;

  fenceSync(condition: number, flags: number): GlHandle | null;
  clientWaitSync(sync: GlHandle, flags: number, timeout: number): number;
  deleteSync(sync: GlHandle): void;
  flush(): void;

  readonly NO_ERROR: number;
  readonly OUT_OF_MEMORY: number;
  readonly CONTEXT_LOST_WEBGL: number;
  readonly MAX_TEXTURE_SIZE: number;
  readonly MAX_TEXTURE_IMAGE_UNITS: number;
  readonly RENDERER: number;
  readonly TEXTURE0: number;
  readonly TEXTURE_2D: number;
  readonly TEXTURE_WRAP_S: number;
  readonly TEXTURE_WRAP_T: number;
  readonly TEXTURE_MIN_FILTER: number;
  readonly TEXTURE_MAG_FILTER: number;
  readonly CLAMP_TO_EDGE: number;
  readonly NEAREST: number;
  readonly RGBA: number;
  readonly RGBA32F: number;
  readonly RGBA16F: number;
  readonly FLOAT: number;
  readonly HALF_FLOAT: number;
  readonly UNPACK_ALIGNMENT: number;
  readonly FRAMEBUFFER: number;
  readonly COLOR_ATTACHMENT0: number;
  readonly COLOR: number;
  readonly SCISSOR_TEST: number;
  readonly TRIANGLE_STRIP: number;
  readonly PIXEL_PACK_BUFFER: number;
  readonly STREAM_READ: number;
  readonly SYNC_GPU_COMMANDS_COMPLETE: number;
  readonly ALREADY_SIGNALED: number;
  readonly CONDITION_SATISFIED: number;
  readonly WAIT_FAILED: number;
}

/** A canvas that gives contexts: an element of a page, or an OffscreenCanvas. */
export interface WebGlCanvas {
  width: number;
  height: number;
  getContext(kind: "webgl2", attributes?: Readonly<Record<string, unknown>>): WebGl | null;
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}
