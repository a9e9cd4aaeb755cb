// One process at a time on a file that is written over hours. The lock is a listening socket whose name is made of the file's place:
// on Linux in the abstract namespace, on Windows a pipe. Of these the system keeps exactly one, and takes it back when the process
// ends, however it ends; so nothing is left behind by a crash or `kill -9`, nothing has to be judged stale, and two that start at
// once cannot both have it. Node has no flock. A lock file with a process id can be left behind, its id can be another process's by
// now, and removing it has a race; proper-lockfile keeps a time stamp fresh instead, so that the lock of a crash holds for seconds
// more and that of a suspended process (Ctrl-Z) is lost.
//
// Elsewhere (macOS, BSD) the socket is a file in the folder for temporary files; one that nobody listens on is removed. Containers that
// share a folder but no network namespace do not see each other's locks.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { FormatError, replaceableFile, writeProblem } from "kedge/loaders";

/** A file that belongs to this process. */
export interface FileLock {
  /** Gives it back; the end of the process does so too. */
  release(): void;
}

/** Bytes of a name in the abstract namespace: a full one is the same to every version of Node, which pads shorter ones or not. */
const NAME_LENGTH = 107;
/** How long the holder may take to say its process id, where the system does not. */
const ANSWER_MILLISECONDS = 1000;
/** How often a lock is tried for that nobody holds any more by the time one asks. */
const ATTEMPTS = 5;

/**
 * Locks a file, which need not be there yet.
 *
 * @throws FormatError if another process has it, naming that, and where it could not be written
 */
export async function lockFile(path: string): Promise<FileLock> {
  const servers: Server[] = [];
  const release = (): void => {
    for (const server of servers.splice(0)) server.close();
  };
  try {
    for (const place of placesOf(path)) {
      const digest = createHash("sha256").update(place).digest("hex").slice(0, 40);
      servers.push(await hold(digest, path));
      // A second name has the process id in it: the list of names can be read even if the holder is stopped.
      if (process.platform === "linux") servers.push(await listen(nameOf(`${digest}-${process.pid}`)));
    }
    return { release };
  } catch (error) {
    release();
    if (error instanceof FormatError) throw error;
    throw new FormatError(path, writeProblem(error).replace("written", "locked"), { cause: error });
  }
}

/** What identifies a file: its folder and name, links followed; and where it has several names, the file itself. */
function placesOf(path: string): string[] {
  const { target } = replaceableFile(path);
  const folder = statSync(realpathSync(dirname(target)));
  const found = statSync(target, { throwIfNoEntry: false });
  const places = [`${folder.dev}:${folder.ino}/${basename(target)}`];
  if (found?.isFile() && found.nlink > 1) places.push(`${found.dev}:${found.ino}`);
  return places;
}

function nameOf(text: string): string {
  if (process.platform === "linux") return `\0kedge-${text}.`.padEnd(NAME_LENGTH + 1, "-");
  if (process.platform === "win32") return String.raw`\\.\pipe\kedge-${text}`;
  return join(tmpdir(), `kedge-${text}.lock`);
}

async function hold(digest: string, path: string): Promise<Server> {
  const name = nameOf(digest);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      return await listen(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
    const holder = listedHolder(digest) ?? (await ask(name));
    if (holder !== "gone") {
      const who = holder === "silent" ? "another process, which does not answer" : `process ${holder}`;
      throw new FormatError(path, `is in use by ${who}: wait until that ends, or name another file`);
    }
    if (existsSync(name)) rmSync(name, { force: true });
  }
  throw new FormatError(path, `could not be locked in ${ATTEMPTS} attempts: try again`);
}

function listen(name: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined); // who asked has left
      socket.end(String(process.pid));
    });
    server.once("error", reject);
    server.listen(name, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** The process id of a holder by the system's list of sockets; undefined where there is none. */
function listedHolder(digest: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return new RegExp(`@kedge-${digest}-(\\d+)\\.`).exec(readFileSync("/proc/net/unix", "utf8"))?.[1];
  } catch {
    return undefined; // no /proc here
  }
}

/** The process id of a holder as it says it; "gone" if nobody holds the lock any more. */
function ask(name: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(name);
    const settle = (text: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(() => settle("silent"), ANSWER_MILLISECONDS);
    socket.on("data", (data) => (answer += data.toString()));
    socket.on("end", () => settle(/^\d+$/.test(answer) ? answer : "silent"));
    socket.on("error", () => settle("gone"));
  });
}
