// A helper worker: walks programs beside the lead. While it serves, it does not return to its event loop; when another memory is
// made the lead dismisses it, so that it hears of the memory, makes its instance there, and serves on.

import { instantiate, type Instance } from "./instance.ts";
import { fatal } from "./lead.ts";
import type { Added, Start } from "./messages.ts";
import type { Port } from "./platform.ts";
import { takeNotice } from "./shared-memory.ts";

/** Serves until it is ended. */
export class Helper {
  readonly #start: Start;
  readonly #instance: Instance;
  readonly #parent: Pick<Port, "post">;
  /** number of the last run, or dismissal, that it took part in */
  #seen = 0;

  constructor(start: Start, parent: Pick<Port, "post">) {
    this.#start = start;
    this.#parent = parent;
    this.#instance = instantiate(start.module, start.memory!, start.scratch, start.modules);
    const { kernels, tableBase } = this.#instance;
    parent.post({ kind: "ready", kernels, tableBase });
    this.#serve();
  }

  /** Another memory was made, and the lead has dismissed this helper. */
  add({ memory }: Added): void {
    const { module, scratch, modules } = this.#start;
    try {
      instantiate(module, memory!, scratch, modules, this.#instance);
      takeNotice(memory!);
    } catch (error) {
      this.#parent.post(fatal(error, this.#start, false));
      return;
    }
    this.#serve();
  }

  #serve(): void {
    const { thread, threads, control } = this.#start;
    try {
      this.#seen = this.#instance.functions.serve(thread, threads, control, this.#seen);
    } catch (error) {
      this.#parent.post(fatal(error, this.#start, true));
    }
  }
}
