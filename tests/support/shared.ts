// The optional folder of fixtures beside the project. Tests that need it are skipped, and say so, where it is absent.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Path of a file or folder in the optional folder of fixtures. */
export function shared(path: string): string {
  return fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
}

/** True if all of these are there. */
export function hasShared(...paths: readonly string[]): boolean {
  return paths.every((path) => existsSync(shared(path)));
}

/** What a skipped test says. */
export const WITHOUT_SHARED = "skipped: the folder of fixtures, ../shared, is not here";
