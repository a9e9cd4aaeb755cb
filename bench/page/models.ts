// A whole model on several devices: loaded on all of them, then timed in rounds that take turns, so that a machine that slows
// down slows all alike.

import { loadModel, type Model } from "kedge";
import { spreadOf } from "kedge/timing";
import type { AbsentDevice } from "../kernels/results.ts";
import { lengthsFor, measureSpeed, type Lengths, type ModelRow, type Speed } from "../model-speed.ts";
import { reasonOf, type PageDevice } from "./devices.ts";

/** What is measured. */
export interface ModelRun extends Lengths {
  readonly model: string;
  readonly ids: readonly PageDevice[];
  readonly rounds: number;
  readonly signal: AbortSignal;
  readonly say: (what: string) => void;
}

interface LoadedModel {
  readonly id: PageDevice;
  readonly model: Model;
  readonly loadSeconds: number;
  readonly speeds: Speed[];
}

/** Measures; devices that the model cannot be loaded on are told with the reason. Throws an Error where it is all of them. */
export async function measureModel(
  run: ModelRun,
): Promise<{ readonly rows: readonly ModelRow[]; readonly absent: readonly AbsentDevice[] }> {
  const { ids, rounds, signal, say } = run;
  const loaded: LoadedModel[] = [];
  const absent: AbsentDevice[] = [];
  const url = new URL(`./${run.model}/`, document.baseURI);
  try {
    for (const id of ids) {
      try {
        const begin = performance.now();
        const onProgress = ({ phase, done, of }: { phase: string; done: number; of: number }) =>
          say(`${id}: loading ${phase}${of > 0 ? ` ${Math.round((done / of) * 100)} %` : ""}`);
        const model = await loadModel(url, { device: id, signal, onProgress });
        loaded.push({ id, model, loadSeconds: (performance.now() - begin) / 1000, speeds: [] });
      } catch (error) {
        signal.throwIfAborted();
        absent.push({ id, reason: reasonOf(error) });
      }
    }
    if (loaded.length === 0) throw new Error(absent.map(({ id, reason }) => `${id} cannot: ${reason}`).join("; "));
    for (let round = 0; round <= rounds; round++) {
      for (const { id, model, speeds } of loaded) {
        say(round === 0 ? `${id}: warming up` : `${id}: round ${round} of ${rounds}`);
        const speed = await measureSpeed(model, lengthsFor(model, run), signal);
        signal.throwIfAborted();
        if (round > 0) speeds.push(speed);
      }
    }
    const rows = loaded.map(({ id, model, loadSeconds, speeds }): ModelRow => ({
      ...lengthsFor(model, run),
      model: run.model,
      device: id,
      description: model.device.description,
      loadSeconds,
      weightBytes: model.memory().weights,
      promptTokensPerSecond: spreadOf(speeds.map(({ promptTokensPerSecond }) => promptTokensPerSecond)),
      tokensPerSecond: spreadOf(speeds.map(({ tokensPerSecond }) => tokensPerSecond)),
    }));
    return { rows, absent };
  } finally {
    for (const { model } of loaded) await model.dispose();
  }
}
