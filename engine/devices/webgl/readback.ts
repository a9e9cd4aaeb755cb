// Reads numbers back without blocking the page: the GPU copies pixels into a buffer, a fence signals when the copy is done, and the event
// loop runs until then.

import { DeviceError } from "../device.ts";
import { nextTask } from "../../next-task.ts";
import type { GlHandle, WebGl } from "./gl.ts";
import { TEXEL } from "./regions.ts";
import type { GlTensor, Textures } from "./textures.ts";

/** Numbers begin..end of a tensor. */
export interface GlRead {
  readonly tensor: GlTensor;
  readonly begin: number;
  readonly end: number;
}

/** A read whose copy is queued; `take` returns the numbers once the fence behind it was signaled. */
export interface StagedRead {
  take(): Float32Array | Uint32Array;
}

/** Queues a copy of the texels that hold the numbers into a buffer. */
export function stage(gl: WebGl, textures: Textures, { tensor, begin, end }: GlRead): StagedRead {
  const { type, held } = tensor;
  if (begin === end) return { take: () => (type === "u32" ? new Uint32Array() : new Float32Array()) };
  const width = held.size[0];
  const [first, last] = [Math.floor(begin / TEXEL), Math.ceil(end / TEXEL)];
  const [y, lastLine] = [Math.floor(first / width), Math.floor((last - 1) / width)];
  const isOneLine = y === lastLine;
  const x = isOneLine ? first % width : 0;
  const across = isOneLine ? last - first : width;
  const down = lastLine - y + 1;
  const buffer = gl.createBuffer();
  const pixels = new Float32Array(across * down * TEXEL);
  gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer);
  gl.bufferData(gl.PIXEL_PACK_BUFFER, pixels.byteLength, gl.STREAM_READ);
  textures.bindForReading(held);
  gl.readPixels(x, y, across, down, gl.RGBA, gl.FLOAT, 0);
  gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
  const offset = begin - (y * width + x) * TEXEL;
  return {
    take() {
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer);
      gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, pixels);
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
      gl.deleteBuffer(buffer);
      const numbers = pixels.slice(offset, offset + end - begin);
      return type === "u32" ? Uint32Array.from(numbers) : numbers;
    },
  };
}

/** Resolves when the GPU has executed the commands so far. */
export async function finished(gl: WebGl): Promise<void> {
  const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
  if (!fence) throw lost();
  gl.flush();
  try {
    while (!isPassed(gl, fence)) await turn();
  } finally {
    gl.deleteSync(fence);
  }
}

function isPassed(gl: WebGl, fence: GlHandle): boolean {
  if (gl.isContextLost()) throw lost();
  const state = gl.clientWaitSync(fence, 0, 0);
  if (state === gl.WAIT_FAILED) throw lost();
  return state === gl.ALREADY_SIGNALED || state === gl.CONDITION_SATISFIED;
}

function lost(): DeviceError {
  return new DeviceError("lost", "the WebGL context is lost");
}

/** Waits for one turn of the event loop. A message comes first, because browsers delay nested timers by at least 4 ms. */
async function turn(): Promise<void> {
  await nextTask();
  await new Promise((resolve) => setTimeout(resolve, 1));
}
