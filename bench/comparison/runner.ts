// Runs a work: starts every contender in a process of its own, then lets them work in turns, a round each, while the others
// sleep. Who cannot start, fails its check or breaks down stays in the result with the reason.

import { fork, type ChildProcess } from "node:child_process";
import type { HostReport, Ready, Task } from "./contender.ts";
import { treeSeconds } from "./cpu-time.ts";
import type { MeasuredEntrant } from "./measured.ts";
import type { Entrant, Work } from "./works.ts";

/** How a work is run. */
export interface RunOptions {
  readonly entrants: readonly Entrant[];
  readonly rounds: number;
  /** the file of a contender, by its name */
  fileOf(contender: string): string;
  readonly task: Omit<Task, "work" | "variant">;
  /** environment of the contenders of works on a GPU */
  readonly gpuEnvironment: Readonly<Record<string, string>>;
  /** says whether a contender that is ready makes sense, as a phrase; throws where it does not */
  check(entrant: Entrant, ready: Ready): Promise<string>;
  /** called when all are ready, before the first round */
  beforeRounds(): Promise<void>;
  /** told what is being done */
  onProgress(line: string): void;
}

/** A contender that takes longer than this for anything has failed. */
const PATIENCE = 300_000;

interface Running {
  readonly entrant: Entrant;
  readonly child: ChildProcess | undefined;
  readonly values: number[];
  settings: Ready["settings"];
  check: string;
  /** seconds that it computed while others worked, and how long those worked */
  idle: { used: number; passed: number };
  reason?: string;
}

function nextReport(child: ChildProcess): Promise<HostReport> {
  return new Promise((accept, reject) => {
    const settle = (done: () => void): void => {
      clearTimeout(timer);
      child.off("exit", onExit).off("message", onMessage);
      done();
    };
    const onExit = (code: number | null, signal: string | null): void =>
      settle(() => reject(new Error(`its process ended with ${code ?? signal}`)));
    const onMessage = (report: HostReport): void => settle(() => accept(report));
    const timer = setTimeout(
      () => settle(() => reject(new Error(`it said nothing for ${PATIENCE / 1000} seconds`))),
      PATIENCE,
    );
    child.once("exit", onExit).once("message", onMessage);
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function start(work: Work, entrant: Entrant, options: RunOptions): Promise<Running> {
  const task: Task = { ...options.task, work: work.name, variant: entrant.variant };
  const assignment = JSON.stringify({ file: options.fileOf(entrant.contender), task });
  const child = fork("build/peers.mjs", ["--host", assignment], {
    env: { ...process.env, ...(work.onGpu ? options.gpuEnvironment : {}) },
    execArgv: [],
  });
  const running: Running = { entrant, child, values: [], settings: {}, check: "", idle: { used: 0, passed: 0 } };
  try {
    const report = await nextReport(child);
    if (report.kind === "failed") throw new Error(report.message);
    if (report.kind !== "ready") throw new Error(`it says "${report.kind}" before it is ready`);
    running.settings = report.ready.settings;
    running.check = await options.check(entrant, report.ready);
  } catch (error) {
    running.reason = messageOf(error).split("\n")[0]!;
    child.kill();
  }
  return running;
}

async function workRound(running: Running, all: readonly Running[]): Promise<void> {
  const others = all.filter((one) => one !== running && one.reason === undefined);
  const roots = others.map(({ child }) => child!.pid!);
  const before = treeSeconds(roots);
  const begin = performance.now();
  try {
    running.child!.send("round");
    const report = await nextReport(running.child!);
    if (report.kind === "failed") throw new Error(report.message);
    if (report.kind === "round") running.values.push(report.value);
  } catch (error) {
    running.reason = messageOf(error);
    running.values.length = 0;
    running.child!.kill();
    return;
  }
  const seconds = (performance.now() - begin) / 1000;
  const after = treeSeconds(roots);
  for (const one of others) {
    const used = (after?.get(one.child!.pid!) ?? 0) - (before?.get(one.child!.pid!) ?? 0);
    one.idle.used += used;
    one.idle.passed += seconds;
  }
}

async function end({ child }: Running): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((accept) => child.once("exit", accept));
  child.send("end", () => undefined);
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await exited;
  clearTimeout(timer);
}

/** Runs one work; the entrants come in the order given. */
export async function runWork(work: Work, options: RunOptions): Promise<MeasuredEntrant[]> {
  const all: Running[] = [];
  try {
    for (const entrant of options.entrants) {
      const running = await start(work, entrant, options);
      options.onProgress(`${work.name}: ${entrant.name}: ${running.reason ?? `ready, ${running.check}`}`);
      all.push(running);
    }
    await options.beforeRounds();
    for (let round = 0; round < options.rounds; round++) {
      // Each round begins with somebody else, so that no one always follows the same neighbor.
      const turns = [...all.slice(round % all.length), ...all.slice(0, round % all.length)];
      for (const running of turns) {
        if (running.reason === undefined) await workRound(running, all);
      }
    }
  } finally {
    await Promise.all(all.map(end));
  }
  return all.map(({ entrant: { name }, values, settings, check, idle, reason }) => ({
    ...{ name, values, settings, check },
    ...(process.platform === "linux" && idle.passed > 0 ? { idleShare: idle.used / idle.passed } : {}),
    ...(reason === undefined ? {} : { reason }),
  }));
}
