// A helper of the pool: walks programs with the leader. While it serves it does not return to its event loop. To add a memory,
// the leader dismisses its helpers, so that each receives the memory, instantiates the kernels on it, and serves again.

import { instantiate, type Instance } from "./instance.ts";
import { fatal } from "./leader.ts";
import type { Added, Start } from "./messages.ts";
import type { Port } from "./platform.ts";
import { takeNotice } from "./shared-memory.ts";

/** Serves until the pool ends. */
export class Helper {
  readonly #start: Start;
  readonly #instance: Instance;
  readonly #parent: Pick<Port, "post">;
  /** number of the last run or dismissal that this helper has seen */
  #seen = 0;

  constructor(start: Start, parent: Pick<Port, "post">) {
    this.#start = start;
    this.#parent = parent;
    this.#instance = instantiate(start.module, start.memory!, start.scratch, start.modules);
    const { kernels, tableBase } = this.#instance;
    parent.post({ kind: "ready", kernels, tableBase });
    this.#serve();
  }

  /** Adds a memory, after the leader has dismissed this helper. */
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
