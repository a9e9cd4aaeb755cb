// Emits the declarations of the public entries into dist/types, as a tree that mirrors the sources.
// Types are not checked here: `npm run check` does that, so that a build is quick.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What declarations use of newer libraries than a program may have named in its `lib`. */
const LIBRARY = '/// <reference lib="esnext.disposable" />\n';

/**
 * A declaration file that compiles with any `lib`: WebGPU's types are the program's own where it has them, from its `lib` or from
 * `@webgpu/types`, and `object` where it has none.
 */
export function selfContained(text) {
  const code = text.replace(/\/\*[^]*?\*\/|\/\/.*$/gm, "");
  const names = new Set(code.match(/\bGPU(?:[A-Z]\w*)?\b/g));
  const aliases = [...names].map((name) =>
    name === "GPUPowerPreference"
      ? `type ${name} = "low-power" | "high-performance";\n`
      : `type ${name} = typeof globalThis extends { ${name}: { prototype: infer Own } } ? Own : object;\n`,
  );
  const isUsing = /\b(?:Async)?Disposable\b|\bSymbol\.(?:asyncDispose|dispose)\b/.test(code);
  return `${isUsing ? LIBRARY : ""}${aliases.join("")}${text}`;
}

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
  for (const file of readdirSync(staging, { recursive: true })) {
    if (!file.endsWith(".d.ts")) continue;
    const text = readFileSync(join(staging, file), "utf8");
    const whole = selfContained(text);
    if (whole !== text) writeFileSync(join(staging, file), whole);
  }
  mkdirSync(join(root, "dist"), { recursive: true });
  const old = `${staging}-old`;
  if (existsSync(target)) renameSync(target, old);
  renameSync(staging, target);
  rmSync(old, { recursive: true, force: true });
}
