// Waiting for Dawn in Node. While a promise of Dawn's is pending, Dawn polls without sleeping and takes a whole core, on which a
// software adapter could compute. So every turn of the event loop ends in a short sleep while a promise is pending. Timers and the
// caller's work still get every turn. Browsers need none of this.

import { isNode } from "./probe.ts";

/** Milliseconds of one nap. */
const NAP = 0.25;

// not where there is a page, as in Electron: Atomics.wait may not block a page's thread
const cell = isNode && !("document" in globalThis) ? new Int32Array(new SharedArrayBuffer(4)) : undefined;
let waiting = 0;
let isNapping = false;

function nap(): void {
  isNapping = waiting > 0;
  if (!isNapping) return;
  Atomics.wait(cell!, 0, 0, NAP);
  setImmediate(nap);
}

/** The promise's outcome; in Node the event loop naps while it is pending. */
export async function waitFor<T>(promise: Promise<T>): Promise<T> {
  if (!cell) return promise;
  waiting++;
  if (!isNapping) {
    isNapping = true;
    setImmediate(nap);
  }
  try {
    return await promise;
  } finally {
    waiting--;
  }
}
