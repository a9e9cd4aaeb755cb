// Choices in a file (Node, whose modules come through the process, so that bundlers for the browser never see them), which is written whole or
// not at all. Only a regular file is read, written and removed, its links followed: not a folder, a device or a pipe.

import { FormatError, replaceableFile, writeWholeFile } from "../../loaders/index.ts";
import type { ChoiceStore } from "./choice-store.ts";

const NAME = "kernel-choices.json";

/**
 * The file for an environment: KEDGE_KERNEL_CHOICES names it ("off": there is none); else it is in the user's folder for caches.
 */
export async function fileOf(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const { join } = process.getBuiltinModule("node:path");
  const { homedir, platform } = process.getBuiltinModule("node:os");
  const named = env["KEDGE_KERNEL_CHOICES"];
  if (named === "off") return undefined;
  if (named) return named;
  const local = platform() === "win32" ? env["LOCALAPPDATA"] : env["XDG_CACHE_HOME"];
  return join(local || join(homedir(), ".cache"), "kedge", NAME);
}

/** One JSON file. */
export class FileStore implements ChoiceStore {
  readonly place: string;

  constructor(path: string) {
    this.place = path;
  }

  async read(): Promise<unknown> {
    const { readFile } = process.getBuiltinModule("node:fs/promises");
    if (this.#target() === undefined) return undefined;
    return JSON.parse(await readFile(this.place, "utf8")) as unknown;
  }

  async write(value: unknown): Promise<void> {
    const { mkdir } = process.getBuiltinModule("node:fs/promises");
    const { dirname } = process.getBuiltinModule("node:path");
    const text = `${JSON.stringify(value, null, 1)}\n`;
    await mkdir(dirname(this.place), { recursive: true });
    writeWholeFile(this.place, text, { isRegularOnly: true });
  }

  async clear(): Promise<void> {
    const { rm } = process.getBuiltinModule("node:fs/promises");
    const target = this.#target();
    if (target !== undefined) await rm(target, { force: true });
  }

  /** The file that is there; throws for what is no file. */
  #target(): string | undefined {
    const { existsSync } = process.getBuiltinModule("node:fs");
    const { dirname } = process.getBuiltinModule("node:path");
    try {
      const { target, kind } = replaceableFile(this.place, { isRegularOnly: true });
      return kind === "file" ? target : undefined;
    } catch (error) {
      if (error instanceof FormatError && !existsSync(dirname(this.place))) return undefined;
      throw error;
    }
  }
}
