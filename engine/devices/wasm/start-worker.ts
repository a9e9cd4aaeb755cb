// Starts the workers of the device, in Node or in a page.

import type { Worker as NodeWorker } from "node:worker_threads";
import { builtin, isNode, pageGlobal, type PageWorker, type Port, type WorkerConstructor } from "./platform.ts";

/** One expression for Node and browsers, as bundlers look for it: the class must be called Worker, and stay so when built. */
function createWorker(Worker: WorkerConstructor): PageWorker {
  return new Worker(new URL("../../../dist/wasm-worker.js", import.meta.url), { type: "module" });
}

/** Node's class, whose workers do not get the options of the process: `--input-type` and `--import` are not for them. */
function nodeWorker(): WorkerConstructor {
  return class extends builtin("node:worker_threads").Worker {
    constructor(script: URL) {
      super(script, { execArgv: [] });
    }
  } as never;
}

/**
 * Starts a worker of this device: from its file, or from `script`. `onEnd` is told why it ended by itself, an error or a sentence.
 *
 * Throws where a page may not load the script, or where nothing is known that its address could be relative to.
 */
export function startWorker(
  onMessage: (message: unknown) => void,
  onEnd: (reason: unknown) => void,
  script: URL | undefined,
): Port {
  const Worker = isNode ? nodeWorker() : pageGlobal.Worker!;
  const worker = script ? new Worker(script, { type: "module" }) : createWorker(Worker);
  const port: Port = {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    terminate: () => Promise.resolve<unknown>(worker.terminate()),
    holdProcess: () => undefined,
  };
  if (isNode) {
    const thread = worker as unknown as NodeWorker;
    thread.on("message", onMessage);
    thread.on("error", onEnd);
    thread.on("exit", (code) => onEnd(`it exited with code ${code}`));
    port.holdProcess = (isHeld) => (isHeld ? thread.ref() : thread.unref());
    port.holdProcess(false);
  } else {
    worker.addEventListener("message", ({ data }) => onMessage(data));
    worker.addEventListener("error", ({ message }) => onEnd(message ?? "its script could not be loaded"));
  }
  return port;
}
