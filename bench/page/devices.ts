// The devices that this browser offers. gpu.js is loaded only when `webgl` is opened.

import { type Device } from "kedge";
import { openDevice, probeWebGpu } from "kedge/devices";
import type { AbsentDevice } from "../kernels/results.ts";

export type PageDevice = "wasm" | "webgpu" | "webgl" | "reference";

/** The value of a list that asks for `wasm`, `webgpu` and `webgl`, as far as they are there. */
export const ALL_DEVICES = "all";

/** What there is. */
export interface DevicesHere {
  /** without the reference, which is slow on purpose */
  readonly ids: readonly PageDevice[];
  /** a sentence about the GPU */
  readonly note: string;
}

/** Finds out what this browser has. */
export async function devicesHere(): Promise<DevicesHere> {
  const probe = await probeWebGpu();
  const hasWebGl = document.createElement("canvas").getContext("webgl2") !== null;
  const ids: PageDevice[] = ["wasm"];
  if (probe.isAvailable) ids.push("webgpu");
  if (hasWebGl) ids.push("webgl");
  const threads = crossOriginIsolated ? "" : " This page is not cross-origin isolated: wasm has one thread.";
  const note = probe.isAvailable ? `WebGPU here: ${probe.description}.` : `No WebGPU here: ${probe.reason}.`;
  return { ids, note: note + threads };
}

/** Choices for a list of devices. */
export function deviceChoices({ ids }: DevicesHere): (string | readonly [string, string])[] {
  return ids.length > 1 ? [[ALL_DEVICES, `all: ${ids.join(", ")}`], ...ids] : [...ids];
}

/** The devices that a list's value asks for. */
export function devicesAsked(value: string, { ids }: DevicesHere): readonly PageDevice[] {
  return value === ALL_DEVICES ? ids : [value as PageDevice];
}

/** What an error says. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Opens them, `wasm` with modules of rivals; those that do not open are told with the reason. Throws an Error where none does. */
export async function openAll(
  ids: readonly PageDevice[],
  modules: readonly Uint8Array[] = [],
): Promise<{
  readonly opened: readonly { id: PageDevice; device: Device }[];
  readonly absent: readonly AbsentDevice[];
}> {
  const opened: { id: PageDevice; device: Device }[] = [];
  const absent: AbsentDevice[] = [];
  for (const id of ids) {
    try {
      opened.push({ id, device: await openDevice(id, { wasm: { modules } }) });
    } catch (error) {
      absent.push({ id, reason: reasonOf(error) });
    }
  }
  if (opened.length === 0) throw new Error(absent.map(({ id, reason }) => `${id} cannot: ${reason}`).join("; "));
  return { opened, absent };
}
