// The entry of the workers, built to dist/wasm-worker.js. The first message makes this worker the leader, which carries out the
// device's orders and computes as thread 0, or a helper, whose only further messages are added memories.

import { Helper } from "./helper-worker.ts";
import { Leader } from "./leader.ts";
import type { Added, ToWorker } from "./messages.ts";
import { openParent } from "./platform.ts";

let leader: Leader | undefined;
let helper: Helper | undefined;

const parent = openParent((data) => {
  const message = data as ToWorker;
  if (message.kind === "start") {
    if (message.thread === 0) leader = new Leader(message, parent);
    else helper = new Helper(message, parent);
  } else if (leader) leader.obey(message);
  else helper!.add(message as Added);
});
