// Which commit is measured, for the files of results.

import { execFileSync } from "node:child_process";

/** The short hash of the commit in `folder`, with "+changes" where tracked files differ from it; undefined outside a clone. */
export function commitOf(folder: string): string | undefined {
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-C", folder, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const hash = git("rev-parse", "--short=12", "HEAD");
    return git("status", "--porcelain", "--untracked-files=no") === "" ? hash : `${hash}+changes`;
  } catch {
    return undefined; // no git, or no clone
  }
}
