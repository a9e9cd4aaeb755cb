// Waits for something to be opened; what comes after an abort is disposed of.

import { untilAborted } from "../../loaders/index.ts";

/** As `untilAborted`; what `opening` still gives after this rejects is disposed of. */
export async function untilAbortedOrLate<T extends { dispose(): unknown }>(
  opening: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    return await untilAborted(opening, signal);
  } catch (error) {
    opening.then((late) => late.dispose()).catch(() => undefined);
    throw error;
  }
}
