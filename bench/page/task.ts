// A form of the page that starts something long: one at a time, since two at once would time each other.

import { reasonOf } from "./devices.ts";
import { found } from "./elements.ts";

/** How far a form's task is; tests wait for it. */
export type TaskState = "loading" | "ready" | "running" | "done" | "failed";

/** What a task is given. */
export interface TaskHandle {
  readonly signal: AbortSignal;
  readonly say: (what: string) => void;
}

const runs: HTMLButtonElement[] = [];
let isBusy = false;

/**
 * Starts `work` when the form is sent, and aborts it at its button `.stop`. The form's `.status` says how it goes, and the
 * element `output` has the state. `work` returns the sentence to end with.
 */
export function runOnSubmit(
  form: HTMLFormElement,
  output: HTMLElement,
  work: (handle: TaskHandle) => Promise<string>,
): { readonly setState: (state: TaskState, message: string) => void } {
  const run = found(`#${form.id} button:not([type])`, HTMLButtonElement);
  const stop = found(`#${form.id} .stop`, HTMLButtonElement);
  const status = found(`#${form.id} .status`, HTMLElement);
  let controller = new AbortController();
  runs.push(run);

  function setState(state: TaskState, message: string): void {
    output.dataset["state"] = state;
    status.textContent = message;
    status.classList.toggle("bad", state === "failed");
  }

  async function start(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    controller = new AbortController();
    const { signal } = controller;
    for (const one of runs) one.disabled = true;
    stop.disabled = false;
    setState("running", "…");
    try {
      const say = (what: string) => (status.textContent = what);
      setState("done", await work({ signal, say }));
    } catch (error) {
      setState(signal.aborted ? "ready" : "failed", reasonOf(error));
    } finally {
      isBusy = false;
      for (const one of runs) one.disabled = false;
      stop.disabled = true;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void start();
  });
  stop.addEventListener("click", () => controller.abort(new Error("stopped")));
  return { setState };
}
