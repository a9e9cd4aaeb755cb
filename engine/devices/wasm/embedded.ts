// Copies of files of dist/ as JavaScript modules: gzipped, in base64, written by build/embedded.mjs. They serve programs that cannot load
// the files: a bundler left them out, or they come from another server. This module is imported only then, so that pages that have the
// files do not load it.

import { isNode } from "./platform.ts";

const copies = {
  "relaxed shared": () => import("../../../dist/embedded-relaxed-shared.js"),
  "relaxed alone": () => import("../../../dist/embedded-relaxed.js"),
  "plain shared": () => import("../../../dist/embedded-simd-shared.js"),
  "plain alone": () => import("../../../dist/embedded-simd.js"),
  worker: () => import("../../../dist/embedded-worker.js"),
} as const;

let script: Promise<URL> | undefined;

/** The script of the workers as an address that needs no file and no server. */
export function workerCopy(): Promise<URL> {
  script ??= embeddedBytes("worker").then((bytes) => {
    if (!isNode) return new URL(URL.createObjectURL(new Blob([bytes], { type: "text/javascript" })));
    return new URL(`data:text/javascript,${encodeURIComponent(new TextDecoder().decode(bytes))}`);
  });
  return script;
}

/** The bytes of a file, from its copy. Rejects where the copy is missing too. */
export async function embeddedBytes(name: keyof typeof copies): Promise<Uint8Array<ArrayBuffer>> {
  const { default: text } = await copies[name]();
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}
