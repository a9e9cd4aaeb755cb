// One self-contained page for a kernel bench: the script of bench/page/static.ts bundled with its plots, the style, and the
// results as JSON. It works from a file, without a server.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KernelResults } from "./results.ts";

/** The folder of the project: the nearest above this file, a bundle or a source, that has the page. */
function projectFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "bench", "page", "static.ts"))) return folder;
    if (folder === dirname(folder))
      throw new Error("a page with plots is made in a clone of kedge only: bench/page is missing");
  }
}

async function bundledScript(folder: string): Promise<string> {
  const { build } = await import("vite");
  const result = await build({
    root: folder,
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      target: "es2023",
      minify: true,
      modulePreload: { polyfill: false },
      rolldownOptions: { input: join(folder, "bench", "page", "static.ts"), output: { format: "iife" } },
    },
  });
  const chunks = [result].flat().flatMap((one) => ("output" in one ? one.output : []));
  const script = chunks.find((file) => file.type === "chunk");
  if (!script || script.type !== "chunk") throw new Error("the page's script could not be bundled");
  return script.code;
}

/** Text that may stand in a script element: `<` begins no tag there. */
const inScript = (text: string): string => text.replaceAll("</", "<\\/").replaceAll("<!--", "<\\!--");

/** The page. */
export async function htmlOf(results: KernelResults): Promise<string> {
  const folder = projectFolder();
  const script = await bundledScript(folder);
  const css = readFileSync(join(folder, "bench", "page", "style.css"), "utf8");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>kedge: kernels</title>
<style>${css}</style>
<h1>Kernels</h1>
<main></main>
<script type="application/json" id="results">${JSON.stringify(results).replaceAll("<", "\\u003c")}</script>
<script>${inScript(script)}</script>
</html>
`;
}
