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

/** What gives the files that are missing. */
export const importCopies = () => import("./embedded.ts");

/** The module of the file, or of its copy where there is no such file. Rejects with what is wrong with the file. */
async function compileOwn(name: keyof typeof urls): Promise<WasmModule> {
  try {
    return await webAssembly.compile(await readBytes(urls[name]()));
  } catch (error) {
    try {
      const { embeddedBytes } = await importCopies();
      return await webAssembly.compile(await embeddedBytes(name));
    } catch {
      throw error;
    }
  }
}

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
    module = compileOwn(name);
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

const HEADER_BYTES = 8;
const DATA_SECTION = 11;

/**
 * Compiles a module of somebody else's. It exports functions by the conventions of kernels/kernel.ts, imports `env.memory`
 * (shared, of at most 65536 pages, where the device's is) and nothing else but `env.abort`, and has no data of its own:
 * the memory is the device's.
 *
 * @throws DeviceError where the bytes are no module, or one with data.
 */
export async function compileForeign(bytes: Uint8Array): Promise<WasmModule> {
  let module: WasmModule;
  try {
    module = await webAssembly.compile(bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DeviceError("unfit", `the module of ${bytes.length} bytes cannot be compiled: ${reason}`, { cause });
  }
  if (sectionsOf(bytes).includes(DATA_SECTION)) {
    throw new DeviceError(
      "unfit",
      "the module has data of its own, which would overwrite what lies in the device's memory",
    );
  }
  return module;
}

/** The numbers of a valid module's sections. */
function sectionsOf(bytes: Uint8Array): number[] {
  const sections: number[] = [];
  for (let at = HEADER_BYTES; at < bytes.length;) {
    sections.push(bytes[at++]!);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    at += size;
  }
  return sections;
}
