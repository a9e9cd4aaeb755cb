// Bundles the TypeScript sources into ES modules that run unchanged in Node, in browsers and in users' bundlers.
//
// All entries are one graph, so that the command line and dist/index.js share one `kedge` module; shared parts become chunk-*.js.
// dist/ is flat, because a module finds files by its own URL. A source writes
// `new URL("../../../dist/kedge-simd.wasm", import.meta.url)`, which is right for tests, which run sources; the build rewrites it to
// `new URL("./kedge-simd.wasm", import.meta.url)`, which is right in dist/ and which bundlers understand. Dependencies and optional
// peers stay imports.

import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { buildWorker, isEmbedded, worker } from "./embedded.mjs";
import { compactShaders } from "./shader-text.mjs";

/** What dist/ offers, by source; the worker of `wasm` is built apart, into one file (embedded.mjs). */
export const entries = {
  index: "engine/index.ts",
  anchoring: "engine/anchoring.ts",
  attention: "engine/attention.ts",
  devices: "engine/devices.ts",
  policies: "engine/policies.ts",
  timing: "engine/timing.ts",
  kernels: "kernels/every-device.ts",
  loaders: "loaders/index.ts",
  cli: "cli/index.ts",
  bench: "bench/index.ts",
  "sandbox-worker": "cli/evaluation/sandbox-worker.ts",
  "python-worker": "cli/evaluation/python/python-worker.ts",
  results: "cli/results/index.ts",
};

/** The package's own names, so that cli/ and bench/ share modules with the package's entries. */
const ownNames = {
  kedge: "index",
  "kedge/anchoring": "anchoring",
  "kedge/attention": "attention",
  "kedge/devices": "devices",
  "kedge/kernels": "kernels",
  "kedge/loaders": "loaders",
  "kedge/policies": "policies",
  "kedge/timing": "timing",
};

/**
 * What goes into a chunk of its own, by source: what a page loads later or not at all, the kernels that all of it
 * shares, and what the devices share.
 * Without this rolldown puts what the same entries reach into one chunk, and a page would load it with the engine.
 */
const chunks = {
  kernels:
    /^kernels\/(?!every-|cost|combine-rows|log-sum-exp|select-words|attend\/work|peak\/|.*(on-gpu|on-webgl|on-demand|preludes|row-shaders|dispatch|webgl-functions|scores)\.ts|.*\?raw)/,
  devices: /^engine\/devices\/(choose|device|measured-choices|program|qualification|tensor|trial-run)\.ts/,
  tuning: /^engine\/(tuning\/(?!file-store)|timing\/)/,
  loaders:
    /^loaders\/(abortable-folder|byte-source|config|config-families|config-fields|find-folder|float16|http-answer|http-source|load-tokenizer|model-config|model-folder|quantized|rotary|safetensors|safetensors-header|safetensors-plan|shards|token-decoder|tokenizer)\.ts/,
  hub: /^loaders\/(hub|find-in-node|local-folder)\.ts/,
  writing: /^loaders\/(folder-writer|whole-file)\.ts/,
  model:
    /^engine\/(options\.ts|(model|cache|generate)\/(?!(forward|eviction|combining|token-log-probs|pass|captured|inspector|derived-taps|tap-marker|weight-names|unembed|prompt-length|anchored-decoding|embeddings|dry-run|taps|chat-\w+|conversation|conversation-cache|fit-messages|config-as-stored|attention-study|quantize-model|estimate|batch|shared-prompts|refill)\.ts)|attention\/(anchors|visibility)\.ts)/,
  "prompt-anchoring": /^engine\/(prompt-anchoring\/|model\/(anchored-decoding|embeddings)\.ts)/,
  "chat-template": /^loaders\/chat-template\/(?!chat-template\.ts|template-files\.ts|template-error\.ts)/,
  combining: /^(engine\/model\/combining|kernels\/(combine-rows|log-sum-exp|select-words)\/[\w-]+)\.ts/,
  eviction: /^engine\/cache\/eviction\.ts/,
  "dry-run": /^engine\/model\/dry-run\.ts/,
  conversation: /^engine\/model\/(conversation|conversation-cache|fit-messages)\.ts/,
  forward: /^engine\/model\/(forward|taps|pass|captured|inspector|derived-taps|tap-marker|weight-names|unembed)\.ts/,
};

/** `chunks` as rolldown takes them. */
function chunkGroups(root) {
  return Object.entries(chunks).map(([name, sources]) => ({
    name,
    test: (id) => id.startsWith(`${root}/`) && sources.test(id.slice(root.length + 1)),
  }));
}

/** Rewrites `new URL("<up>/dist/name", import.meta.url)` and `import("<up>/dist/name")` in a source so that they are right in dist/ itself. */
export function rewriteDistUrls(code, id, distFolder) {
  return code.replace(
    /((?:new\s+URL|import)\(\s*)(["'])((?:\.\.?\/)+dist\/[^"']+)\2(?=\s*(?:,\s*import\.meta\.url|\)))/g,
    (whole, open, quote, path) => {
      const target = resolve(dirname(id), path);
      return dirname(target) === distFolder ? `${open}${quote}./${target.slice(distFolder.length + 1)}${quote}` : whole;
    },
  );
}

/** A plugin that rewrites what sources say of files in dist/, and gives the command its first line. */
function distUrls(root) {
  const distFolder = join(root, "dist");
  return {
    name: "kedge:dist-urls",
    enforce: "pre",
    resolveId: (id) => (isEmbedded(id) ? { id: `./${basename(id)}`, external: true } : null),
    transform(code, id) {
      if (!id.startsWith(root) || id.includes("node_modules")) return null;
      const isBareCommand = id === join(root, entries.cli) && !code.startsWith("#!");
      return {
        code: (isBareCommand ? "#!/usr/bin/env node\n" : "") + rewriteDistUrls(code, id, distFolder),
        map: null,
      };
    },
  };
}

/** Bundles the entries that exist into `<root>/dist`; returns the names of those that do not exist. */
export async function buildJavaScript(root) {
  const { build } = await import("vite");
  const present = Object.entries(entries).filter(([, source]) => existsSync(join(root, source)));
  const missing = Object.values(entries).filter((source) => !existsSync(join(root, source)));
  if (present.length === 0) return missing;

  const distFolder = join(root, "dist");
  const staging = join(root, ".cache", `javascript-${process.pid}`);
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    resolve: {
      alias: Object.entries(ownNames).map(([name, entry]) => ({
        find: new RegExp(`^${name}$`),
        replacement: join(root, entries[entry]),
      })),
    },
    plugins: [compactShaders, distUrls(root)],
    build: {
      ssr: true, // leaves `new URL(…, import.meta.url)`, workers and dynamic imports as they are written
      target: "es2023",
      minify: false,
      sourcemap: true,
      emptyOutDir: true,
      outDir: staging,
      rolldownOptions: {
        input: Object.fromEntries(present.map(([name, source]) => [name, join(root, source)])),
        external: (id) =>
          !id.startsWith(".") &&
          !id.startsWith("/") &&
          !id.startsWith("\0") &&
          !isOwnName(id) &&
          !/^[A-Za-z]:/.test(id),
        output: {
          format: "es",
          entryFileNames: "[name].js",
          chunkFileNames: "chunk-[name]-[hash].js",
          codeSplitting: { includeDependenciesRecursively: false, groups: chunkGroups(root) },
        },
        onwarn(warning, warn) {
          if (warning.code === "UNRESOLVED_IMPORT" || warning.code === "MISSING_EXPORT")
            throw new Error(warning.message);
          warn(warning);
        },
      },
    },
  });

  if (existsSync(join(root, worker.source))) await buildWorker(root, staging);
  else missing.push(worker.source);
  mkdirSync(distFolder, { recursive: true });
  const made = readdirSync(staging);
  if (made.includes("cli.js")) chmodSync(join(staging, "cli.js"), 0o755);
  for (const file of made) renameSync(join(staging, file), join(distFolder, file));
  const isStale = (file) => /\.js(\.map)?$/.test(file) && !made.includes(file) && !isEmbedded(file);
  for (const file of readdirSync(distFolder).filter(isStale)) rmSync(join(distFolder, file), { force: true });
  rmSync(staging, { recursive: true, force: true });
  return missing;
}

function isOwnName(id) {
  return Object.hasOwn(ownNames, id);
}
