// kedge doctor: what this machine can do, which device `auto` takes and why, and whether every kernel is right on every device
// of this machine. A device that is missing is reported in a sentence; a device that gives wrong answers makes the exit code 1.

import type { Command } from "commander";
import { DeviceError, UnsupportedError } from "kedge";
import {
  chooseDevice,
  openDevice,
  probeWebGpu,
  selfTest,
  type AdapterFacts,
  type DevicePick,
  type Demotion,
  type DeviceName,
  type Probe,
  type SelfTestResult,
} from "kedge/devices";
import { recallKernelChoices, type KernelChoice } from "kedge/timing";
import { addJson } from "./arguments.ts";
import * as format from "./format.ts";
import { inspectMachine, type Machine } from "./machine.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

/** The result of probing one device. */
interface Examined {
  readonly device: DeviceName;
  readonly description: string;
  /** false: it is not there, or failed */
  readonly isAvailable: boolean;
  readonly ok: boolean;
  readonly seconds: number;
  readonly kernels: readonly SelfTestResult[];
  readonly demotions: readonly Demotion[];
  /** measured choices of kernel variants that are in force */
  readonly choices: readonly KernelChoice[];
}

const DEVICES: readonly DeviceName[] = ["reference", "wasm", "webgpu"];

/** `kedge doctor` */
export const doctor: Verb = {
  name: "doctor",
  configure(command: Command) {
    command
      .summary("say what this machine can do, and test every kernel on it")
      .description(
        "Says what this machine offers and which device kedge takes, and tests every kernel on every device.",
      );
    addJson(command);
  },
  async execute(terminal, _args, given: { readonly json?: boolean }) {
    const probe = await probeWebGpu();
    const choice = await chooseDevice();
    const devices: Examined[] = [];
    await terminal.withBar(async (bar) => {
      for (const [i, name] of DEVICES.entries()) {
        bar.update(i, DEVICES.length, `testing the kernels on ${name}`);
        const report = (what: string) => bar.update(i, DEVICES.length, `testing ${what} on ${name}`);
        devices.push(await examine(name, probe, terminal.signal, report));
      }
    });
    // After the devices: in Node 20 it is the wasm device that switches relaxed SIMD on.
    const machine = inspectMachine();
    const ok = devices.every((device) => device.ok);
    if (given.json) {
      terminal.printJson({ machine, webgpu: probe, auto: choice, devices, ok });
    } else {
      describeMachine(terminal, machine, probe, choice);
      describeDevices(terminal, devices);
    }
    return ok ? 0 : 1;
  },
};

/** Opens a device and tries every implementation on it. */
async function examine(
  name: DeviceName,
  probe: Probe,
  signal: AbortSignal,
  onProgress: (implementation: string) => void,
): Promise<Examined> {
  const begin = performance.now();
  const missing = { device: name, isAvailable: false, seconds: 0, kernels: [], demotions: [], choices: [] };
  if (name === "webgpu" && !probe.isAvailable) return { ...missing, description: probe.reason, ok: true };
  try {
    const device = await openDevice(name);
    try {
      // A software adapter takes minutes to compile what all samples need, and `auto` never takes it.
      const samples = name === "webgpu" && probe.isSoftware ? 1 : undefined;
      const kernels = await selfTest(device, { samples, onProgress, signal });
      const { description } = device;
      const choices = await recallKernelChoices(device);
      const demotions = [...device.demotions];
      const seconds = (performance.now() - begin) / 1000;
      return {
        device: name,
        description,
        isAvailable: true,
        ok: isRight(kernels),
        seconds,
        kernels,
        demotions,
        choices,
      };
    } finally {
      await device.dispose();
    }
  } catch (error) {
    if (error instanceof UnsupportedError) return { ...missing, description: error.message, ok: true };
    if (error instanceof DeviceError) return { ...missing, description: `failed: ${error.message}`, ok: false };
    throw error;
  }
}

/** Nothing that is in use is wrong, and every kernel has something that is right. */
function isRight(results: readonly SelfTestResult[]): boolean {
  const works = new Set(results.filter(({ right }) => right > 0).map(({ kernel }) => kernel));
  return results.every(({ kernel, wrong }) => wrong.length === 0 && works.has(kernel));
}

function describeMachine(terminal: Terminal, machine: Machine, probe: Probe, choice: DevicePick): void {
  const { node, platform, processor, cores, memory, wasm } = machine;
  const features = [
    wasm.simd ? "SIMD" : "no SIMD",
    wasm.relaxedSimd ? "relaxed SIMD" : "no relaxed SIMD",
    wasm.threads ? "threads" : "no threads",
    `memories to ${format.bytes(wasm.memoryLimit)}`,
  ];
  const rows = [
    ["machine", `${processor}, ${format.plural(cores, "core")}, ${format.bytes(memory)}`],
    ["node", `${node}, ${platform}`],
    ["wasm", features.join(", ")],
    ["webgpu", probe.isAvailable ? probe.description : probe.reason],
    ...(probe.isAvailable ? adapterRows(probe) : []),
    ["auto", `takes ${choice.name}: ${choice.reason}`],
  ];
  terminal.print(...format.table(rows));
}

function adapterRows({ features, subgroupSizes, limits }: AdapterFacts): string[][] {
  const [fewest, most] = subgroupSizes;
  const lanes = most === 0 ? "no subgroups" : `subgroups of ${fewest === most ? most : `${fewest} to ${most}`}`;
  return [
    ["", `${lanes}; ${features.join(", ") || "no optional features"}`],
    ...Object.entries(limits).map(([name, value]) => [
      "",
      `${name} ${name.endsWith("Size") && value >= 1e6 ? format.bytes(value) : format.grouped(value)}`,
    ]),
  ];
}

function describeDevices(terminal: Terminal, devices: readonly Examined[]): void {
  for (const { device, description, isAvailable, ok, seconds, kernels, demotions, choices } of devices) {
    terminal.print("", `${terminal.style(device, "bold")}  ${description}`);
    if (!isAvailable) continue;
    const used = kernels.filter(({ right }) => right > 0);
    const samples = used.reduce((sum, { right }) => sum + right, 0);
    const count = format.plural(new Set(used.map(({ kernel }) => kernel)).size, "kernel");
    const verdict = ok ? terminal.style("right", "green") : terminal.style("WRONG", "red");
    terminal.print(
      `  ${count} in ${format.plural(used.length, "implementation")} ${verdict} on ${format.plural(samples, "sample")}, ${format.duration(seconds)}`,
    );
    if (choices.length > 0) {
      const better = choices.filter(({ implementation, preset }) => implementation !== preset);
      terminal.print(
        `  ${format.plural(choices.length, "measured choice")} in force, ${better.length} other than preset`,
      );
      const named = better.map(({ rows, implementation, preset }) => [
        `    ${implementation}`,
        `for ${preset} at ${format.plural(rows, "row")}`,
      ]);
      if (named.length > 0) terminal.print(...format.table(named));
    }
    for (const { implementation, reason } of demotions) terminal.print(`  not used: ${implementation}: ${reason}`);
    for (const { kernel, implementation, right, wrong } of kernels) {
      if (wrong.length === 0) continue;
      const [first] = wrong;
      const rest = wrong.length === 1 ? "" : `, and ${format.plural(wrong.length - 1, "more sample")}`;
      terminal.print(
        `  ${terminal.style("wrong", "red")}: ${kernel} (${implementation}), ${right} right; ${first}${rest}`,
      );
    }
  }
}
