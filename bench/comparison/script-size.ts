// How much script kedge is to a page: engine, kernels and loaders bundled and minified, gzipped; without WebAssembly and
// without the libraries for tokenizers and downloads, which are loaded when they are asked for.

import { gzipSync } from "node:zlib";
import { build } from "vite";
import type { Ready } from "./contender.ts";

const EXTERNAL = ["@huggingface/hub", "webgpu", "gpu.js"];
const ENTRY = "kedge-page";
const SOURCE = `import { loadModel } from "kedge"; globalThis.loadModel = loadModel;`;

/** The chunks that are loaded for a device, besides those that every page loads, by their names. */
const OWN_CHUNKS = {
  wasm: /-(wasm-device|probe|webgl-probe|wasm-worker)-/,
  webgpu: /-(webgpu-device|(?<!webgl-)probe|measured|measured-choices)-/, // on a GPU kernels are timed at the first load
  webgl: /-(webgl-device|probe|webgl-probe)-/,
};

export interface Sizes {
  /** all scripts, minified */
  readonly bytes: number;
  /** all scripts, each gzipped */
  readonly gzipBytes: number;
  readonly files: number;
  /** gzipped scripts that a browser loads to generate on a device, `auto` as the choice */
  readonly pages: Readonly<Record<keyof typeof OWN_CHUNKS, number>>;
}

interface Script {
  readonly fileName: string;
  readonly code: string;
  readonly isEntry: boolean;
  /** file names */
  readonly imports: readonly string[];
}

const gzipBytesOf = (scripts: readonly Script[]): number =>
  scripts.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).byteLength, 0);

/** The entry and the chunks whose names match, and what they import. */
function loadedWith(scripts: readonly Script[], names: RegExp): readonly Script[] {
  const loaded = new Set(scripts.filter(({ isEntry, fileName }) => isEntry || names.test(`-${fileName}`)));
  for (const { imports } of loaded)
    for (const script of scripts) if (imports.includes(script.fileName)) loaded.add(script);
  return [...loaded];
}

/** Bundles a page's script and measures it, its chunks and its worker. */
export async function bundledSize(): Promise<Sizes> {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    plugins: [
      {
        name: "page",
        resolveId: (id, importer) => (id === ENTRY && importer === undefined ? `${process.cwd()}/${ENTRY}.js` : null),
        load: (id) => (id.endsWith(`/${ENTRY}.js`) ? SOURCE : null),
      },
    ],
    build: {
      write: false,
      target: "es2023",
      minify: true,
      modulePreload: { polyfill: false },
      rolldownOptions: { input: ENTRY, external: EXTERNAL },
    },
  });
  const outputs = [result].flat().flatMap((one) => ("output" in one ? one.output : []));
  const scripts = outputs.flatMap((file): Script[] => {
    const { fileName } = file;
    if (/\bembedded-[\w-]+\.js$/.test(fileName)) return []; // WebAssembly as JavaScript, for programs that lack the files
    if (file.type === "chunk") return [{ fileName, code: file.code, isEntry: file.isEntry, imports: file.imports }];
    if (!/\.m?js$/.test(fileName)) return [];
    return [{ fileName, code: Buffer.from(file.source).toString(), isEntry: false, imports: [] }];
  });
  if (scripts.length === 0) throw new Error("the bundle has no script");
  const pageOn = (names: RegExp) => gzipBytesOf(loadedWith(scripts, names));
  return {
    bytes: scripts.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0),
    gzipBytes: gzipBytesOf(scripts),
    files: scripts.length,
    pages: { wasm: pageOn(OWN_CHUNKS.wasm), webgpu: pageOn(OWN_CHUNKS.webgpu), webgl: pageOn(OWN_CHUNKS.webgl) },
  };
}

/** The size as a contender, "on DEVICE" or "all scripts": it is the same in every round. */
export async function scriptSize(variant: string) {
  const { bytes, gzipBytes, files, pages } = await bundledSize();
  const device = Object.entries(pages).find(([name]) => variant === `on ${name}`);
  const settings = {
    "scripts in all": files,
    "minified KB in all": Math.round(bytes / 1000),
    external: EXTERNAL.join(" "),
  };
  return {
    ready: { settings } satisfies Ready,
    round: () => Promise.resolve((device?.[1] ?? gzipBytes) / 1000),
    dispose: () => Promise.resolve(),
  };
}
