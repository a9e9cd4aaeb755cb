// Emits the declarations of the public entries into dist/types, as a tree that mirrors the sources.
// Types are not checked here: `npm run check` does that, so that a build is quick.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Runs tsc into a folder of its own and then puts that in place of `<root>/dist/types`. Throws with tsc's output. */
export async function buildTypes(root) {
  const staging = join(root, ".cache", `types-${process.pid}`);
  const target = join(root, "dist", "types");
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  rmSync(staging, { recursive: true, force: true });
  try {
    await run(process.execPath, [tsc, "-p", join(root, "build", "tsconfig.types.json"), "--outDir", staging], {
      cwd: root,
    });
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    throw new Error(`tsc could not write the declarations:\n${error.stdout}${error.stderr}`, { cause: error });
  }
  if (!existsSync(staging)) return; // there is no source yet
  mkdirSync(join(root, "dist"), { recursive: true });
  const old = `${staging}-old`;
  if (existsSync(target)) renameSync(target, old);
  renameSync(staging, target);
  rmSync(old, { recursive: true, force: true });
}
