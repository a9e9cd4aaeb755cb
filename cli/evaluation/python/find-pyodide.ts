// The package pyodide, which kedge needs for tasks in Python and for nothing else.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { UnsupportedError } from "kedge";
import type { Task } from "../task.ts";
import manifest from "../../../package.json" with { type: "json" };

const VERSION = manifest.peerDependencies.pyodide;
/** The command that installs it. */
export const INSTALL_PYODIDE = `npm install pyodide@${VERSION}`;

/** Refuses tasks in Python where pyodide is not installed: before a model is loaded, not after its first completion. */
export function requirePython(tasks: readonly Pick<Task, "language">[]): void {
  if (tasks.some(({ language }) => language === "python")) findPyodide();
}

/**
 * The folder of the package: kedge's own, else that of the project in the working directory.
 *
 * @throws UnsupportedError with the command that installs it
 */
export function findPyodide(
  from: readonly (string | URL)[] = [import.meta.url, pathToFileURL(join(process.cwd(), "package.json"))],
): string {
  for (const base of from) {
    const path = resolveFrom(base);
    if (path === undefined) continue;
    const { version } = JSON.parse(readFileSync(path, "utf8")) as { version: string };
    if (version === VERSION) return dirname(path);
    throw new UnsupportedError(
      `tasks in Python run in pyodide ${VERSION}, and ${version} is installed: \`${INSTALL_PYODIDE}\``,
    );
  }
  throw new UnsupportedError(
    `tasks in Python run in the package pyodide, which is not installed: \`${INSTALL_PYODIDE}\``,
  );
}

function resolveFrom(base: string | URL): string | undefined {
  try {
    return createRequire(base).resolve("pyodide/package.json");
  } catch {
    return undefined; // not there
  }
}
