import { expect, test } from "vitest";
import { describeReferences } from "./references.ts";
import { knownException } from "./known-exceptions.ts";

test("tasks that are known to fail are told by reason, others one by one", () => {
  const failed = ["MBJSP/243", "MBJSP/2", "a", "MBJSP/18"].map((id) => {
    const known = knownException(id);
    const outcome = { passed: false, kind: "assertion", message: "1 of 1 assertions failed" } as const;
    return { id, outcome, ...(known === undefined ? {} : { known }) };
  });
  expect(describeReferences({ tasks: 9, passed: 4, without: ["MBJSP/31"], failed })).toEqual([
    "4 of 9 reference solutions pass",
    "1 have no solution of their own: MBJSP/31",
    "1 known to fail, as its solution sorts by a function that is not its own: MBJSP/243",
    "2 known to fail, as its solution names parameters otherwise than its prompt: MBJSP/2, MBJSP/18",
    "a fails with its own solution: 1 of 1 assertions failed",
  ]);
});
