// A page in headless Chromium, cross-origin isolated so that it has threads, with the peers' scripts and the model under
// short paths. It closes with the contender.

import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launchBrowser, servePage } from "../../tests/support/browser.ts";
import type { Task } from "../comparison/contender.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");

/** A running page. */
export interface ChromiumPage {
  readonly version: string;
  /** Calls a function that the page's script has put on `globalThis`. */
  call<Result>(name: string, argument?: unknown): Promise<Result>;
  close(): Promise<void>;
}

/** Serves what pages need from a folder of links, made anew for each process. */
function makeServedFolder({ files }: Task): string {
  const folder = join(root, ".cache", "peers", `served-${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const links = { modules: join(here, "node_modules"), "model.gguf": files.gguf, onnx: files.onnxFolder };
  for (const [name, target] of Object.entries(links)) {
    if (existsSync(target)) symlinkSync(target, join(folder, name));
  }
  return folder;
}

/** The version of a peer as it is installed. */
export function versionOf(name: string): string {
  const manifest = readFileSync(join(here, "node_modules", name, "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Opens a page with one module script; `imports` is its import map, `files` are served besides. */
export async function openChromiumPage(
  task: Task,
  script: string,
  imports: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, Uint8Array>> = {},
): Promise<ChromiumPage> {
  const folder = makeServedFolder(task);
  const html =
    `<!doctype html><title>peer</title><script type="importmap">${JSON.stringify({ imports })}</script>` +
    `<script type="module">${script}\nglobalThis.isLoaded = true;</script>`;
  const server = await servePage(folder, { isolated: true, files: { "/index.html": html, ...files } });
  const browser = await launchBrowser();
  const close = async (): Promise<void> => {
    await browser.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    const failed = new Promise<never>((_, reject) => page.once("pageerror", reject));
    failed.catch(() => undefined);
    await page.goto(server.url);
    await Promise.race([page.waitForFunction("globalThis.isLoaded && crossOriginIsolated"), failed]);
    const call = async <Result>(name: string, argument: unknown = null): Promise<Result> => {
      const called = page.evaluate(`globalThis[${JSON.stringify(name)}](${JSON.stringify(argument)})`);
      called.catch(() => undefined);
      return (await Promise.race([called, failed])) as Result;
    };
    return { version: `Chromium ${browser.version()}`, call, close };
  } catch (error) {
    await close();
    throw error;
  }
}
