import { DeviceError } from "../device.ts";
import { PAGE_BYTES, webAssembly, type WasmMemory } from "./platform.ts";

/** Bytes of a memory at most: addresses stay below 2^32 even one past the end of a buffer. */
export const LIMIT_BYTES = 2 ** 32 - PAGE_BYTES;

/** A shared memory of as large a maximum as the engine grants, up to `wanted` bytes. */
export function shareMemory(pages: number, wanted: number): { memory: WasmMemory; limit: number } {
  let maximum = Math.max(pages, Math.min(65536, Math.floor(wanted / PAGE_BYTES)));
  for (;;) {
    try {
      const memory = new webAssembly.Memory({ initial: pages, maximum, shared: true });
      return { memory, limit: Math.min(wanted, maximum * PAGE_BYTES, LIMIT_BYTES) };
    } catch (cause) {
      if (maximum <= pages) {
        throw new DeviceError("out-of-memory", `wasm: the engine refuses ${pages * PAGE_BYTES} bytes of memory`, {
          cause,
        });
      }
      maximum = Math.max(pages, Math.floor(maximum / 2));
    }
  }
}

/**
 * Makes this thread see how far the memory has grown. Later growth it hears of by itself; V8 loses sight of what another thread
 * grew while this one was receiving the memory.
 */
export function takeNotice(memory: WasmMemory): void {
  memory.grow(0);
}
