// The workers' entry, built to dist/wasm-worker.js. The first message makes this worker the lead, which carries out the
// device's orders and computes as thread 0, or a helper, which never returns to its event loop.

import type { ToWorker } from "./messages.ts";
import { fatal, Lead } from "./lead.ts";
import { openParent } from "./platform.ts";
import { instantiate } from "./instance.ts";

let lead: Lead | undefined;

const parent = openParent((data) => {
  const message = data as ToWorker;
  if (message.kind !== "start") {
    lead!.obey(message);
    return;
  }
  if (message.thread === 0) {
    lead = new Lead(message, parent);
    return;
  }
  const { functions, kernels, tableBase } = instantiate(
    message.module,
    message.memory!,
    message.scratch,
    message.modules,
  );
  parent.post({ kind: "ready", kernels, tableBase });
  try {
    functions.serve(message.thread, message.threads, message.control);
  } catch (error) {
    parent.post(fatal(error, message, true));
  }
});
