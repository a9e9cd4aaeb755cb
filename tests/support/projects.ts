// Fresh projects that use kedge as npm delivers it: packed, unpacked into node_modules, with nothing of the repository in reach.

import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The bundlers, runtimes and compilers, pinned by a package-lock.json. */
const tools = join(root, "tests", "package", "projects");

/** A folder with `node_modules/kedge`, for projects below it. */
export interface Workshop {
  readonly folder: string;
  /** Writes a project's files, by path, into a folder of their own; returns the folder. */
  project(name: string, files: Readonly<Record<string, string>>): string;
  remove(): void;
}

/** The variables that a user's shell has, and a test's does not. */
function userEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { NODE_ENV: _, NODE_OPTIONS: __, VITEST: ___, ...env } = process.env;
  return { ...env, NO_COLOR: "1", FORCE_COLOR: "0", ...more };
}

/** Runs a command and resolves with what it printed; rejects with all of it where it fails. */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly input?: string; readonly env?: Readonly<Record<string, string>> },
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: options.cwd, env: userEnvironment(options.env), timeout: 240_000 });
    const printed = { stdout: "", stderr: "" };
    for (const kind of ["stdout", "stderr"] as const)
      child[kind].setEncoding("utf8").on("data", (text: string) => (printed[kind] += text));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) return resolve(printed);
      const words = `${command} ${args.join(" ")} ended with ${code ?? signal}:`;
      reject(new Error(`${words}\n${printed.stdout}${printed.stderr}`));
    });
    child.stdin.on("error", () => undefined).end(options.input ?? ""); // it may end before it has read all
  });
}

/** Packs the package as it is built, and unpacks it into `node_modules/kedge` of a folder. */
async function installKedge(folder: string): Promise<void> {
  const packed = await run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], {
    cwd: root,
  });
  const tarball = join(folder, packed.stdout.trim().split("\n").at(-1)!);
  const target = join(folder, "node_modules", "kedge");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", target, "--strip-components=1"], { cwd: folder });
  rmSync(tarball);
}

function workshopIn(folder: string, isKept: boolean): Workshop {
  return {
    folder,
    project(name, files) {
      const own = join(folder, name);
      rmSync(own, { recursive: true, force: true });
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(own, path)), { recursive: true });
        writeFileSync(join(own, path), text);
      }
      return own;
    },
    remove: () => {
      if (!isKept) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** kedge, its dependencies and TypeScript, the latter as this repository has them; quick, and without the network. */
export async function openWorkshop(): Promise<Workshop> {
  const folder = mkdtempSync(join(tmpdir(), "kedge-workshop-"));
  await installKedge(folder);
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), "typescript", "@types/node"]) {
    mkdirSync(dirname(join(folder, "node_modules", name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
  return workshopIn(folder, false);
}

/**
 * kedge, its dependencies and the tools of tests/package/projects, installed by `npm ci` from npm's cache as far as that has
 * them. About a gigabyte; `KEDGE_TEST_PROJECTS` names a folder that is kept from run to run.
 */
export async function openWorkshopWithTools(): Promise<Workshop> {
  const kept = process.env["KEDGE_TEST_PROJECTS"];
  const folder = kept ?? mkdtempSync(join(tmpdir(), "kedge-projects-"));
  mkdirSync(folder, { recursive: true });
  const isInstalled = readdirSync(folder).includes("node_modules");
  for (const file of ["package.json", "package-lock.json"]) cpSync(join(tools, file), join(folder, file));
  if (!isInstalled) {
    // No scripts of packages are needed: the programs are in packages of their own, by platform.
    await run("npm", ["ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  }
  await installKedge(folder);
  return workshopIn(folder, kept !== undefined);
}

/** Starts a server; resolves with the first address that it prints. */
export async function startServer(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const child = spawn(command, args, {
    cwd,
    env: userEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a group of its own, which ends as a whole
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGTERM");
    await ended;
  };
  let printed = "";
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      printed += chunk.toString();
      const [found] = /http:\/\/(?:localhost|127\.0\.0\.1):\d+/.exec(printed) ?? [];
      if (found !== undefined) resolve(`${found}/`);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("error", reject);
    void ended.then(() => reject(new Error(`${command} ${args.join(" ")} ended and said:\n${printed}`)));
  });
  return { url, close };
}
