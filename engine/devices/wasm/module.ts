// The kernels' module that suits this engine: shared memory or not, relaxed SIMD or plain. Compiled once for all devices.

import { DeviceError } from "../device.ts";
import { hasRelaxedSimd, readBytes, webAssembly, type WasmModule } from "./platform.ts";

// Written out, each of them, because that is how bundlers find files that belong to a module.
const urls = {
  "relaxed shared": () => new URL("../../../dist/kedge-relaxed-shared.wasm", import.meta.url),
  "relaxed alone": () => new URL("../../../dist/kedge-relaxed.wasm", import.meta.url),
  "plain shared": () => new URL("../../../dist/kedge-simd-shared.wasm", import.meta.url),
  "plain alone": () => new URL("../../../dist/kedge-simd.wasm", import.meta.url),
} as const;

const compiled = new Map<keyof typeof urls, Promise<WasmModule>>();

/** Loads and compiles the module. Throws a DeviceError when the engine cannot compile it. */
export async function loadModule(
  isShared: boolean,
  isPlain: boolean,
): Promise<{ readonly module: WasmModule; readonly isRelaxed: boolean }> {
  const isRelaxed = !isPlain && hasRelaxedSimd();
  const name = `${isRelaxed ? "relaxed" : "plain"} ${isShared ? "shared" : "alone"}` as const;
  let module = compiled.get(name);
  if (!module) {
    module = readBytes(urls[name]()).then((bytes) => webAssembly.compile(bytes));
    compiled.set(name, module);
  }
  try {
    return { module: await module, isRelaxed };
  } catch (cause) {
    compiled.delete(name);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DeviceError("failed", `wasm: the ${name} kernels could not be loaded: ${reason}`, { cause });
  }
}
