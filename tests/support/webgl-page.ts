// Pages that run the project's sources in headless Chromium: a script is bundled as a user's would be, minified, and served.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { launchBrowser, servePage, type PageServer } from "./browser.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A page whose script is loaded; `close` ends the browser. */
export interface ScriptPage {
  readonly page: Page;
  readonly url: string;
  /** what the page wrote to its console as warnings and errors */
  readonly warnings: string[];
  /** every request so far, as the server writes them */
  readonly requests: readonly string[];
  /** Runs an expression in the page and waits for its value. */
  run<T>(expression: string): Promise<T>;
  close(): Promise<void>;
}

/**
 * Bundles `script`, which may import "/engine/…" and "/kernels/…", and opens it. It should put functions into `globalThis`.
 * `folders` are served beside it, by the paths that they have in the repository's root.
 */
export async function openScriptPage(
  script: string,
  files: Readonly<Record<string, Uint8Array>> = {},
): Promise<ScriptPage> {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache/webgl-page-"));
  let browser: Browser | undefined;
  let server: PageServer | undefined;
  const close = async () => {
    await browser?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    writeFileSync(join(folder, "index.html"), `<!doctype html><script type="module" src="/app.js"></script>`);
    writeFileSync(join(folder, "app.js"), `${script}\nglobalThis.isReady = true;`);
    const alias = ["engine", "kernels", "loaders", "dist"].map((name) => ({
      find: new RegExp(`^/${name}/`),
      replacement: `${root}${name}/`,
    }));
    const outDir = join(folder, "built");
    await build({
      configFile: false,
      logLevel: "error",
      root: folder,
      resolve: { alias },
      worker: { format: "es" },
      build: { outDir, target: "es2023", minify: true, chunkSizeWarningLimit: 4096 },
    });
    server = await servePage(outDir, { isolated: true, files });
    browser = await launchBrowser();
    const page = await browser.newPage();
    const warnings: string[] = [];
    page.on("console", (message) => {
      const isDriver = message.text().includes("GL Driver Message");
      if (!isDriver && ["warning", "error"].includes(message.type())) warnings.push(message.text());
    });
    page.on("pageerror", (error) => warnings.push(String(error)));
    await page.goto(server.url);
    await page.waitForFunction("globalThis.isReady", undefined, { timeout: 30_000 });
    const { url, requests } = server;
    return { page, url, requests, warnings, run: <T>(expression: string) => page.evaluate<T>(expression), close };
  } catch (error) {
    await close();
    throw error;
  }
}
