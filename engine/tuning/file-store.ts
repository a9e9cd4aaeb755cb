// Choices in a file: written beside its place and then renamed, so that a reader finds the old one or the new one.

import type { ChoiceStore } from "./choice-store.ts";

const NAME = "kernel-choices.json";

/**
 * The file for an environment: KEDGE_KERNEL_CHOICES names it ("off": there is none); else it is in the user's folder for caches.
 */
export async function fileOf(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const { join } = await import("node:path");
  const { homedir, platform } = await import("node:os");
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
    const { readFile } = await import("node:fs/promises");
    try {
      return JSON.parse(await readFile(this.place, "utf8")) as unknown;
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return undefined;
      throw error;
    }
  }

  async write(value: unknown): Promise<void> {
    const { mkdir, rename, rm, writeFile } = await import("node:fs/promises");
    const { dirname } = await import("node:path");
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
    const { rm } = await import("node:fs/promises");
    await rm(this.place, { force: true });
  }
}
