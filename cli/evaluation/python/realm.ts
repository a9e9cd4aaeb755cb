// Takes the host's things from the realm in which the interpreter's glue runs: what is left are the builtins of the language itself.

import { createRequire, syncBuiltinESMExports } from "node:module";
import { runInNewContext } from "node:vm";

/** Node's modules that open connections, and what of them does it. */
const CONNECTIONS = {
  "node:net": ["connect", "createConnection", "createServer", "Server", "Socket", "Stream"],
  "node:dgram": ["createSocket", "Socket"],
  "node:dns": ["lookup", "resolve", "Resolver"],
  "node:tls": ["connect", "createServer"],
  "node:http": ["request", "get", "createServer", "Agent"],
  "node:https": ["request", "get", "createServer", "Agent"],
  "node:http2": ["connect", "createServer"],
} as const;

/** Of the process: what loads code, signals, or leaves. */
const PROCESS = [
  "binding",
  "_linkedBinding",
  "dlopen",
  "kill",
  "_kill",
  "exit",
  "reallyExit",
  "abort",
  "getBuiltinModule",
];

function refused(): never {
  throw new Error("closed");
}

/**
 * Closes connections, and deletes every global that is not the language's. Nothing can be loaded or reached by name afterwards; Node itself
 * keeps what it needs.
 *
 * @returns the names of globals that could not be deleted
 */
export function sealRealm(): string[] {
  const require = createRequire(import.meta.url);
  for (const [name, members] of Object.entries(CONNECTIONS)) {
    const module = require(name) as Record<string, unknown>;
    for (const member of members) {
      const found = module[member];
      if (typeof found !== "function") continue;
      const { prototype } = found as { prototype?: Record<string, unknown> };
      for (const method of ["connect", "listen", "bind"])
        if (prototype && typeof prototype[method] === "function") prototype[method] = refused;
      Reflect.set(module, member, refused);
    }
  }
  syncBuiltinESMExports();
  for (const name of PROCESS) Reflect.set(process, name, refused);
  process.env = {};
  const language = new Set(Reflect.ownKeys(runInNewContext("globalThis") as object));
  const left: string[] = [];
  for (const name of Reflect.ownKeys(globalThis))
    if (!language.has(name) && !Reflect.deleteProperty(globalThis, name)) left.push(String(name));

  Reflect.deleteProperty(globalThis, "console");
  return left;
}
