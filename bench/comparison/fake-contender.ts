// A contender that computes nothing, for tests of the runner: its variant says how it behaves.

import type { Contender } from "./contender.ts";

/** Behaves as the variant says: "steady", "breaks" in its second round, "absent", "dies". */
export function contender(): Contender {
  let variant = "";
  let rounds = 0;
  return {
    prepare(task) {
      variant = task.variant;
      if (variant === "absent") throw new Error("this machine has no such thing");
      if (variant === "dies") process.exit(3);
      return Promise.resolve({ settings: { threads: task.threads, variant }, deviation: variant === "wrong" ? 1 : 0 });
    },
    round() {
      rounds++;
      if (variant === "breaks" && rounds > 1) throw new Error("it broke");
      return Promise.resolve(10 * rounds);
    },
    dispose: () => Promise.resolve(),
  };
}
