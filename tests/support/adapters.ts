/**
 * A GPU for tests on machines that have none: `softwareGpu()` is Dawn (npm `webgpu`) on a software Vulkan driver.
 *
 * SwiftShader comes from npm alone: no shader-f16, subgroups of 4. With KEDGE_TEST_ADAPTER=lavapipe it is Mesa's
 * lavapipe (Debian: mesa-vulkan-drivers from bookworm-backports): shader-f16, subgroups of 8. A missing driver is an
 * error and never a skipped test. Nothing needs to be set before the process starts: the Vulkan loader is opened here
 * and stays open, so that Dawn's own dlopen("libvulkan.so.1") finds it whatever LD_LIBRARY_PATH says.
 */

import { existsSync, readdirSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { unpackedFolder, unsupportedMachine } from "./unpacked.ts";

/** The software adapters tests can run on. */
export type TestAdapterName = "swiftshader" | "lavapipe";

/** The adapter that KEDGE_TEST_ADAPTER names; SwiftShader where it names none. Throws on a name it does not know. */
export function testAdapterName(): TestAdapterName {
  const name = process.env["KEDGE_TEST_ADAPTER"] ?? "swiftshader";
  if (name === "swiftshader" || name === "lavapipe") return name;
  throw new Error(`KEDGE_TEST_ADAPTER is "${name}": use "swiftshader" or "lavapipe"`);
}

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

/** Dawn crashes the process when its GPU object is collected, so this variable holds it for as long as we run. */
let gpu: Promise<GPU> | undefined;

/**
 * The software adapter's GPU object, the same for every call in a process. Also installs WebGPU's constants
 * (`GPUBufferUsage`, ...) and interfaces as globals, as a browser has them.
 *
 * Create one device per test file and `destroy()` it in `afterAll`.
 *
 * @throws Error on a machine that is not x86-64 Linux, and where KEDGE_TEST_ADAPTER asks for a driver that is missing.
 */
export function softwareGpu(): Promise<GPU> {
  gpu ??= openSoftwareGpu(testAdapterName());
  return gpu;
}

async function openSoftwareGpu(name: TestAdapterName): Promise<GPU> {
  const unsupported = unsupportedMachine();
  if (unsupported !== undefined) throw new Error(unsupported);
  const swiftshader = await unpackedFolder("swiftshader", ["swiftshader"]);
  const manifest = name === "lavapipe" ? lavapipeManifest() : join(swiftshader, "vk_swiftshader_icd.json");
  if (manifest === undefined) {
    throw new Error(
      `KEDGE_TEST_ADAPTER is "lavapipe", but there is no lvp_icd.json in ${lavapipeManifestFolders.join(", ")}: ` +
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
