// Processor time of a process and all that it has started, from /proc: it tells whether a contender sleeps while it is
// others' turn.

import { readdirSync, readFileSync } from "node:fs";

/** Linux counts in hundredths of a second. */
const TICKS_PER_SECOND = 100;
const FIELDS_AFTER_NAME = { parent: 1, userTime: 11, systemTime: 12 } as const;

interface ProcessTime {
  readonly parent: number;
  readonly seconds: number;
}

/** Reads one line of /proc/PID/stat; its second field, the name, may hold spaces and brackets. */
export function parseStat(line: string): ProcessTime {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const { parent, userTime, systemTime } = FIELDS_AFTER_NAME;
  const ticks = Number(fields[userTime]) + Number(fields[systemTime]);
  return { parent: Number(fields[parent]), seconds: ticks / TICKS_PER_SECOND };
}

function readProcesses(): ReadonlyMap<number, ProcessTime> {
  const processes = new Map<number, ProcessTime>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      processes.set(Number(name), parseStat(readFileSync(`/proc/${name}/stat`, "utf8")));
    } catch {
      // it has ended since the folder was read
    }
  }
  return processes;
}

/** Seconds that each tree of processes has computed so far, by its root; undefined where there is no /proc. */
export function treeSeconds(roots: readonly number[]): ReadonlyMap<number, number> | undefined {
  if (process.platform !== "linux") return undefined;
  const processes = readProcesses();
  const seconds = new Map(roots.map((root) => [root, 0]));
  for (const [id, { seconds: own }] of processes) {
    let at: number | undefined = id;
    while (at !== undefined && !seconds.has(at)) at = processes.get(at)?.parent;
    if (at !== undefined) seconds.set(at, seconds.get(at)! + own);
  }
  return seconds;
}
