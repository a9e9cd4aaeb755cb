// A reporter of vitest that ends a run with the slowest test files: what to look at when `npm test` takes longer than it may.

import { relative } from "node:path";
import type { Reporter, TestModule } from "vitest/node";

/** Most files that are listed. */
const MOST = 20;

/** Seconds of a file: loading its imports, and its hooks and tests. */
export interface Timing {
  readonly file: string;
  readonly imports: number;
  readonly tests: number;
}

const total = ({ imports, tests }: Timing): number => imports + tests;
const seconds = (value: number): string => `${value.toFixed(1)} s`.padStart(8);

/** The slowest files first, each with its seconds and its share of all; at most `MOST` lines after the heading. */
export function timingLines(timings: readonly Timing[]): string[] {
  const all = timings.reduce((sum, one) => sum + total(one), 0);
  const slowest = timings.toSorted((a, b) => total(b) - total(a)).slice(0, MOST);
  const width = Math.max(0, ...slowest.map(({ file }) => file.length));
  return [
    `Slowest of ${timings.length} files, which took ${all.toFixed(0)} s one after the other:`,
    ...slowest.map((one) => {
      const share = `${((100 * total(one)) / all).toFixed(0)} %`.padStart(5);
      return `  ${one.file.padEnd(width)} ${seconds(total(one))} ${share}   (imports ${one.imports.toFixed(1)} s)`;
    }),
  ];
}

export default class Timings implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (modules.length < 2) return;
    const timings = modules.map((module) => {
      const { prepareDuration, collectDuration, environmentSetupDuration, setupDuration, duration } =
        module.diagnostic();
      const imports = prepareDuration + collectDuration + environmentSetupDuration + setupDuration;
      return { file: relative(process.cwd(), module.moduleId), imports: imports / 1000, tests: duration / 1000 };
    });
    console.log(`\n${timingLines(timings).join("\n")}\n`);
  }
}
