// For tests: the sandbox's worker, bundled from the sources as they are now, so that tests do not depend on a build.

import { mkdtempSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "vite";

/** A bundle of the worker, and how to remove it. */
export interface BundledWorker {
  readonly url: URL;
  remove(): void;
}

/** Bundles a worker, or a part of one, into a folder of its own below .cache/, where its dependencies are found. */
export async function bundleWorker(
  name: "sandbox-worker" | "python/python-worker" | "python/realm" = "sandbox-worker",
): Promise<BundledWorker> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  await mkdir(join(root, ".cache"), { recursive: true });
  const outDir = mkdtempSync(join(root, ".cache", "sandbox-worker-"));
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    build: {
      ssr: fileURLToPath(new URL(`${name}.ts`, import.meta.url)),
      target: "es2023",
      outDir,
      rolldownOptions: { output: { format: "es", entryFileNames: "sandbox-worker.js" } },
    },
  });
  return {
    url: pathToFileURL(join(outDir, "sandbox-worker.js")),
    remove: () => rmSync(outDir, { recursive: true, force: true }),
  };
}
