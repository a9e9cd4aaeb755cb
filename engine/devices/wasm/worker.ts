// The workers' entry, built to dist/wasm-worker.js. The first message makes this worker the lead, which carries out the
// device's orders and computes as thread 0, or a helper, which hears of further memories only.

import { Helper } from "./serving.ts";
import { Lead } from "./lead.ts";
import type { Added, ToWorker } from "./messages.ts";
import { openParent } from "./platform.ts";

let lead: Lead | undefined;
let helper: Helper | undefined;

const parent = openParent((data) => {
  const message = data as ToWorker;
  if (message.kind === "start") {
    if (message.thread === 0) lead = new Lead(message, parent);
    else helper = new Helper(message, parent);
  } else if (lead) lead.obey(message);
  else helper!.add(message as Added);
});
