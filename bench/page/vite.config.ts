import { defineConfig } from "vite";
import { commitOf } from "../commit.ts";

/** The two headers that give a page shared memory, and so threads on `wasm`; without them it runs on one. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** `kedge` is the built package, as in anybody's page; the shipped models lie beside the page. */
export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  define: { KEDGE_COMMIT: JSON.stringify(commitOf(import.meta.dirname) ?? "") },
  publicDir: "../../models",
  server: { headers, fs: { allow: ["../.."] } },
  preview: { headers },
  worker: { format: "es" },
  build: { target: "es2023", chunkSizeWarningLimit: 4096, outDir: "../../.cache/bench-page", emptyOutDir: true },
});
