// The worker of `wasm`, and copies of the worker and of the WebAssembly that are JavaScript.
//
// Most bundlers copy what `new URL("./kedge-simd.wasm", import.meta.url)` names; esbuild and Rollup do not, and a page may not start
// a worker whose script comes from another server. Every bundler takes along what `import("./embedded-simd.js")` names. So dist/
// has both, and the engine imports a copy where the file cannot be had (engine/devices/wasm/embedded.ts).
// For the same reason the worker is one file without imports: it works wherever it is copied to.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** The source of the worker, and its name in dist/. */
export const worker = { source: "engine/devices/wasm/worker.ts", file: "wasm-worker.js" };

/** Each file of dist/ that has a copy, by the name of the copy. */
const copies = {
  "embedded-relaxed-shared.js": "kedge-relaxed-shared.wasm",
  "embedded-relaxed.js": "kedge-relaxed.wasm",
  "embedded-simd-shared.js": "kedge-simd-shared.wasm",
  "embedded-simd.js": "kedge-simd.wasm",
  "embedded-worker.js": worker.file,
};

/** Whether a file of dist/, given by its name or path, is a copy. */
export function isEmbedded(path) {
  return Object.hasOwn(copies, path.slice(path.lastIndexOf("/") + 1));
}

/** Bundles the worker into one file of `outDir`. */
export async function buildWorker(root, outDir) {
  const { build } = await import("vite");
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    build: {
      ssr: join(root, worker.source),
      target: "es2023",
      minify: false,
      sourcemap: true,
      emptyOutDir: false,
      outDir,
      rolldownOptions: { output: { format: "es", entryFileNames: worker.file, codeSplitting: false } },
    },
  });
}

/** Writes the copies of the files that are there; returns how many had changed. */
export async function writeCopies(root) {
  const { minifySync } = await import("vite");
  let changed = 0;
  for (const [copy, file] of Object.entries(copies)) {
    const path = join(root, "dist", file);
    if (!existsSync(path)) continue;
    let bytes = readFileSync(path);
    if (file === worker.file) {
      const { code, errors } = minifySync(file, bytes.toString(), { module: true });
      if (errors.length > 0) throw new Error(`${file} cannot be minified: ${errors[0].message}`);
      bytes = Buffer.from(code.replace(/^\/\/# sourceMappingURL=.*$/m, ""));
    }
    const text = `// ${file}, gzipped, in base64\nexport default "${gzipSync(bytes, { level: 9 }).toString("base64")}";\n`;
    const target = join(root, "dist", copy);
    if (existsSync(target) && readFileSync(target, "utf8") === text) continue;
    writeFileSync(`${target}.${process.pid}`, text);
    renameSync(`${target}.${process.pid}`, target);
    changed++;
  }
  return changed;
}
