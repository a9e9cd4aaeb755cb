// Finds out whether this page has WebGL2 and whether a GPU runs it. Browsers fall back to renderers on the CPU (SwiftShader, llvmpipe,
// Microsoft's basic renderer). `auto` never takes those, because wasm is faster.

import { UnsupportedError } from "../../../loaders/index.ts";
import type { WebGl, WebGlCanvas } from "./gl.ts";

/** The facts about a page's WebGL2. */
export interface WebGlProbe {
  readonly isAvailable: boolean;
  readonly isSoftware: boolean;
  /** the renderer's name, or why there is none */
  readonly description: string;
}

/** Names of renderers that compute on the CPU. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render|\bwarp\b|mesa offscreen/i;

const plain = { alpha: false, depth: false, stencil: false, antialias: false, powerPreference: "high-performance" };

/** A canvas of this page or worker; undefined where there is neither, as in Node. */
export function makeCanvas(): WebGlCanvas | undefined {
  const { document, OffscreenCanvas } = globalThis as {
    readonly document?: { createElement(name: "canvas"): WebGlCanvas };
    readonly OffscreenCanvas?: new (width: number, height: number) => WebGlCanvas;
  };
  if (OffscreenCanvas) return new OffscreenCanvas(1, 1);
  return document?.createElement("canvas");
}

/** The context of a new canvas, or null where the browser has no WebGL2. */
export function makeContext(canvas: WebGlCanvas, more: Readonly<Record<string, unknown>> = {}): WebGl | null {
  return canvas.getContext("webgl2", { ...plain, ...more });
}

/** The name of a context's renderer, unmasked where the browser allows it. */
export function rendererOf(gl: WebGl): string {
  const unmasked = gl.getExtension("WEBGL_debug_renderer_info") as { UNMASKED_RENDERER_WEBGL: number } | null;
  return String(gl.getParameter(unmasked ? unmasked.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

/** The reason why the device cannot use a context, or null. It must be able to draw to f32 textures. */
export function lackOf(gl: WebGl): string | null {
  return gl.getExtension("EXT_color_buffer_float") ? null : "its WebGL2 cannot draw to f32 textures";
}

function none(description: string): WebGlProbe {
  return { isAvailable: false, isSoftware: false, description };
}

/** Probes the WebGL2 of this page and releases the context. */
export function probeWebGl(canvasOf: () => WebGlCanvas | undefined = makeCanvas): WebGlProbe {
  const canvas = canvasOf();
  if (!canvas) return none("there is no WebGL2 outside a browser");
  const gl = makeContext(canvas);
  if (!gl) return none("this browser gives no WebGL2 context");
  try {
    const lack = lackOf(gl);
    if (lack) return none(lack);
    const description = rendererOf(gl);
    if (SOFTWARE.test(description)) return { isAvailable: true, isSoftware: true, description };
    // A browser that masks the renderer's name still refuses a slow one when asked to.
    const strict = canvasOf();
    const fast = strict && makeContext(strict, { failIfMajorPerformanceCaveat: true });
    if (fast) release(fast);
    return { isAvailable: true, isSoftware: !fast, description };
  } finally {
    release(gl);
  }
}

/** Releases a context, because browsers keep only a few alive. */
export function release(gl: WebGl): void {
  (gl.getExtension("WEBGL_lose_context") as { loseContext(): void } | null)?.loseContext();
}

/**
 * A context that the device can use.
 *
 * @throws UnsupportedError outside a browser, or in one without WebGL2 or f32 textures to draw to.
 */
export function findContext(): WebGl {
  const canvas = makeCanvas();
  if (!canvas) {
    throw new UnsupportedError('device "webgl" needs a browser: use "webgpu", "wasm" or "auto" here');
  }
  const gl = makeContext(canvas);
  if (!gl) throw new UnsupportedError('this browser gives no WebGL2 context: use device "wasm"');
  return gl;
}
