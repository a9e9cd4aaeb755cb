// `npm run build` writes dist/: WebAssembly, then JavaScript, then declarations, then copies of files as JavaScript. `npm ci` runs it too (prepare).
//
// A step is skipped if its sources have not changed since it last succeeded. A step that fails ends the build with its message.
// Outputs are written elsewhere and renamed into place, so that a build can run while something uses dist/.

import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { worker, writeCopies } from "./embedded.mjs";
import { buildJavaScript, entries } from "./javascript.mjs";
import { buildTypes } from "./types.mjs";
import { buildWasm } from "./wasm.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, ".cache", "build-stamp");

/** One hash over everything that the bundles and declarations are made of. */
function sourceHash() {
  const hash = createHash("sha256");
  const add = (path) => hash.update(`${path}\n`).update(readFileSync(join(root, path)));
  for (const file of ["package.json", "package-lock.json", "tsconfig.json"])
    if (existsSync(join(root, file))) add(file);
  for (const folder of ["build", "engine", "kernels", "loaders", "cli", "bench"]) {
    if (!existsSync(join(root, folder))) continue;
    const files = readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, file));
    for (const file of files.sort()) {
      const isSource = /\.(ts|mjs|json|wgsl|gl\.js)$/.test(file) && !/\.(test|as)\.ts$/.test(file);
      if (isSource && !file.includes("node_modules")) add(file);
    }
  }
  return hash.digest("hex");
}

/** `npx kedge` in a clone runs the clone's own build: npm links the commands of dependencies only. */
function linkCommand() {
  const link = join(root, "node_modules", ".bin", "kedge");
  if (process.platform === "win32" || !existsSync(join(root, "dist", "cli.js")) || !existsSync(dirname(link))) return;
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link);
  symlinkSync(join("..", "..", "dist", "cli.js"), link);
}

/** Runs one step and prints how long it took. */
async function step(name, work) {
  const begin = performance.now();
  const note = await work();
  console.log(`${name}: ${note} in ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}

try {
  await step("WebAssembly", async () => {
    const outcome = await buildWasm(root);
    return outcome === "absent" ? "there are no .as.ts kernels yet" : outcome;
  });
  const stamp = sourceHash();
  const wanted = [...Object.entries(entries), [worker.file.slice(0, -3), worker.source]].filter(([, source]) =>
    existsSync(join(root, source)),
  );
  const isFresh =
    existsSync(stampFile) &&
    readFileSync(stampFile, "utf8") === stamp &&
    existsSync(join(root, "dist", "types")) &&
    wanted.every(([name]) => existsSync(join(root, "dist", `${name}.js`)));
  if (isFresh) {
    console.log("JavaScript and declarations: fresh");
  } else {
    rmSync(stampFile, { force: true });
    await step("JavaScript", async () => {
      const missing = await buildJavaScript(root);
      return missing.length === 0 ? "built" : `built without ${missing.join(", ")}, which are not there yet`;
    });
    await step("declarations", async () => {
      await buildTypes(root);
      return "built";
    });
    mkdirSync(dirname(stampFile), { recursive: true });
    writeFileSync(stampFile, stamp);
  }
  const changed = await writeCopies(root);
  if (changed > 0) console.log(`copies of WebAssembly and the worker as JavaScript: ${changed} written`);
  linkCommand();
} catch (error) {
  const message = `build failed: ${error instanceof Error ? error.message : error}`;
  console.error(process.stderr.isTTY ? message : stripVTControlCharacters(message));
  process.exitCode = 1;
}
