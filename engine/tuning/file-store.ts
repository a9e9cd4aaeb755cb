// Choices in a file (Node, whose modules come through the process, so that bundlers for the browser never see them): written beside its place and then renamed, so that a reader finds the old one or the new one.

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
    try {
      return JSON.parse(await readFile(this.place, "utf8")) as unknown;
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return undefined;
      throw error;
    }
  }

  async write(value: unknown): Promise<void> {
    const { mkdir, rename, rm, writeFile } = process.getBuiltinModule("node:fs/promises");
    const { dirname } = process.getBuiltinModule("node:path");
    await mkdir(dirname(this.place), { recursive: true });
    const staged = `${this.place}.${process.pid}-${Date.now()}.unfinished`;
    try {
      await writeFile(staged, `${JSON.stringify(value, null, 1)}\n`);
      await rename(staged, this.place);
    } catch (error) {
      await rm(staged, { force: true });
      throw error;
    }
  }

  async clear(): Promise<void> {
    const { rm } = process.getBuiltinModule("node:fs/promises");
    await rm(this.place, { force: true });
  }
}
