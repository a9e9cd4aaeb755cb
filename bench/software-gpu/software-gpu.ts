/**
 * A GPU for machines that have none: Dawn (npm `webgpu`) on a software Vulkan driver.
 *
 * SwiftShader comes from npm alone: no shader-f16, subgroups of 4. `lavapipe` is Mesa's (Debian: mesa-vulkan-drivers from
 * bookworm-backports): shader-f16, subgroups of 8. Nothing needs to be set before the process starts: the Vulkan loader is opened
 * here and stays open, so that Dawn's own dlopen("libvulkan.so.1") finds it whatever LD_LIBRARY_PATH says.
 */

import { existsSync, readdirSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { unpackedFolder, unsupportedMachine } from "./unpacked.ts";

/** The software drivers that are known. */
export type SoftwareDriver = "swiftshader" | "lavapipe";

const lavapipeManifestFolders = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/** The path of lavapipe's driver manifest, or undefined where Mesa's Vulkan drivers are not installed. */
export function lavapipeManifest(): string | undefined {
  return lavapipeManifestFolders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((file) => /^lvp_icd(\.x86_64)?\.json$/.test(file))
        .map((file) => join(folder, file)),
    )[0];
}

/** Dawn crashes the process when its GPU object is collected: those that were opened are held for as long as we run. */
const opened = new Map<SoftwareDriver, Promise<GPU>>();

/**
 * Dawn on a driver, the same object for every call in a process. Also installs WebGPU's constants (`GPUBufferUsage`, …) and interfaces
 * as globals, as a browser has them.
 *
 * @throws Error on a machine that is not x86-64 Linux, and where the driver or a package is missing.
 */
export function openSoftwareGpu(name: SoftwareDriver): Promise<GPU> {
  const gpu = opened.get(name) ?? openDawn(name);
  opened.set(name, gpu);
  return gpu;
}

async function openDawn(name: SoftwareDriver): Promise<GPU> {
  const unsupported = unsupportedMachine();
  if (unsupported !== undefined) throw new Error(unsupported);
  const swiftshader = await unpackedFolder("swiftshader", ["swiftshader"]);
  const manifest = name === "lavapipe" ? lavapipeManifest() : join(swiftshader, "vk_swiftshader_icd.json");
  if (manifest === undefined) {
    throw new Error(
      `there is no lavapipe: no lvp_icd.json in ${lavapipeManifestFolders.join(", ")}: ` +
        `install mesa-vulkan-drivers 25 or later`,
    );
  }
  process.env["VK_ICD_FILENAMES"] = manifest;
  process.env["VK_DRIVER_FILES"] = manifest;
  process.env["XDG_RUNTIME_DIR"] ??= tmpdir();
  keepLibraryOpen(join(swiftshader, "libvulkan.so.1"));
  const { create, globals } = await import("webgpu");
  for (const [key, value] of Object.entries(globals)) {
    if (!(key in globalThis)) Object.defineProperty(globalThis, key, { value, configurable: true, writable: true });
  }
  return create([]);
}

/**
 * Opens a shared library so that it stays in the process. Node closes again what is not an addon and throws;
 * RTLD_NODELETE makes that close harmless, after which dlopen() by the library's short name finds the open one.
 */
function keepLibraryOpen(path: string): void {
  const RTLD_NODELETE = 0x1000; // glibc's value; os.constants.dlopen does not list it
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes("did not self-register")) throw error;
  }
}
