// A folder whose operations end as soon as a signal aborts, whatever they wait for: a server that says nothing, a callback of the
// user's, a disk that does not answer. What comes after the abort is closed.

import { readsPromptly, type ByteSource } from "./byte-source.ts";
import type { ModelFolder } from "./model-folder.ts";
import { eitherSignal, untilAborted } from "./until-aborted.ts";

/** The folder as it is, but for that. */
export function abortableFolder(folder: ModelFolder, signal: AbortSignal | undefined): ModelFolder {
  if (!signal) return folder;
  const within = <T>(work: () => Promise<T>): Promise<T> =>
    signal.aborted ? Promise.reject(signal.reason as Error) : untilAborted(work(), signal);
  return {
    get name() {
      return folder.name;
    },
    get notes() {
      return folder.notes ?? [];
    },
    onDownload: (listener) => folder.onDownload?.(listener),
    has: (file) => within(() => folder.has(file)),
    ...(folder.list && { list: () => within(() => folder.list!()) }),
    async open(file, options) {
      let opening: Promise<ByteSource> | undefined;
      try {
        return abortableSource(await within(() => (opening = folder.open(file, options))), signal);
      } catch (error) {
        opening?.then((source) => source.close()).catch(() => undefined);
        throw error;
      }
    },
  };
}

/**
 * The source as it is, but for that. Files and memory are read to the end of a read, which is near. Other sources get no room to read
 * into: after an abort it may belong to somebody else, and they may still write.
 */
function abortableSource(source: ByteSource, signal: AbortSignal): ByteSource {
  if (readsPromptly(source)) return source;
  return {
    name: source.name,
    byteLength: source.byteLength,
    async read(begin, end, own) {
      const either = eitherSignal(signal, own);
      either?.throwIfAborted();
      return untilAborted(source.read(begin, end, either), either);
    },
    close: () => source.close(),
  };
}
