/**
 * Folders unpacked from the archives in the npm package `@sparticuz/chromium`: a Vulkan driver without a GPU
 * (SwiftShader), a headless Chromium, the libraries and fonts it wants. They are kept under node_modules/.cache.
 *
 * Invariant: a folder that exists is complete. It is filled under a temporary name and renamed, so that test workers
 * that unpack at the same time do not disturb each other; the first rename wins.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";

const decompress = promisify(brotliDecompress);

/** The archives of the package; `chromium` is one executable, the others are tar files. */
export type ArchiveName = "swiftshader" | "chromium" | "al2023" | "fonts";

/** Says why the packaged binaries cannot run on this machine, or undefined where they can. */
export function unsupportedMachine(): string | undefined {
  if (process.platform === "linux" && process.arch === "x64") return undefined;
  return `the packaged SwiftShader and Chromium are built for linux x64, but this machine is ${process.platform} ${process.arch}`;
}

/**
 * Unpacks archives into one folder, once, and returns its path.
 *
 * @param folderName - Name of the folder in the cache; the package's version is appended to it.
 * @param archives - What goes in, in order.
 * @param complete - Called on the filled folder before it gets its final name, with that final path.
 * @throws Error on a machine that cannot run the binaries.
 */
export async function unpackedFolder(
  folderName: string,
  archives: readonly ArchiveName[],
  complete?: (folder: string, finalFolder: string) => void,
): Promise<string> {
  const unsupported = unsupportedMachine();
  if (unsupported !== undefined) throw new Error(unsupported);
  const packageFolder = join(dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")), "..", "..");
  const cacheFolder = join(packageFolder, "..", "..", ".cache", "kedge");
  const manifest = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as { version: string };
  const finalFolder = join(cacheFolder, `${folderName}-${manifest.version}`);
  if (existsSync(finalFolder)) return finalFolder;

  const folder = join(cacheFolder, `.${folderName}-${process.pid}-${Math.random().toString(36).slice(2)}`);
  mkdirSync(folder, { recursive: true });
  try {
    for (const name of archives) await unpack(join(packageFolder, "bin"), name, folder);
    complete?.(folder, finalFolder);
    renameSync(folder, finalFolder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    if (!existsSync(finalFolder)) throw error; // otherwise another worker was first
  }
  return finalFolder;
}

async function unpack(binFolder: string, name: ArchiveName, folder: string): Promise<void> {
  if (name === "chromium") {
    writeFileSync(join(folder, "chromium"), await decompress(readFileSync(join(binFolder, "chromium.br"))), {
      mode: 0o755,
    });
    return;
  }
  const { parseTar } = await import("nanotar");
  const tar = await decompress(readFileSync(join(binFolder, `${name}.tar.br`)));
  for (const entry of parseTar(tar)) {
    if (entry.type !== "file" || entry.data === undefined) continue;
    const path = join(folder, entry.name);
    if (!path.startsWith(folder)) throw new Error(`${name}.tar.br names a path outside its folder: ${entry.name}`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, entry.data, { mode: 0o755 });
  }
}
