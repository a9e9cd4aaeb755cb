// How much script kedge is to a page: engine, kernels and loaders bundled and minified, gzipped; without WebAssembly and
// without the libraries for tokenizers, templates and downloads, which are loaded when they are asked for.

import { gzipSync } from "node:zlib";
import { build } from "vite";
import type { Ready } from "./contender.ts";

const EXTERNAL = ["@huggingface/hub", "@huggingface/jinja", "@huggingface/tokenizers", "webgpu", "gpu.js"];
const ENTRY = "kedge-page";
const SOURCE = `import { loadModel } from "kedge"; globalThis.loadModel = loadModel;`;

export interface Sizes {
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly files: number;
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
  const scripts = outputs.flatMap((file) => {
    if (file.type === "chunk") return [file.code];
    return /\.m?js$/.test(file.fileName) ? [Buffer.from(file.source).toString()] : [];
  });
  if (scripts.length === 0) throw new Error("the bundle has no script");
  return {
    bytes: scripts.reduce((sum, script) => sum + Buffer.byteLength(script), 0),
    gzipBytes: scripts.reduce((sum, script) => sum + gzipSync(script, { level: 9 }).byteLength, 0),
    files: scripts.length,
  };
}

/** The size as a contender: it is the same in every round. */
export async function scriptSize() {
  const { bytes, gzipBytes, files } = await bundledSize();
  const settings = { scripts: files, "minified KB": Math.round(bytes / 1000), external: EXTERNAL.join(" ") };
  return {
    ready: { settings } satisfies Ready,
    round: () => Promise.resolve(gzipBytes / 1000),
    dispose: () => Promise.resolve(),
  };
}
