// Rows and bytes of a model: never more than there are, first come first served, a bounded queue.

import { expect, test } from "vitest";
import { Admission } from "./admission.ts";

const { signal } = new AbortController();
const tick = () => new Promise((resolve) => setImmediate(resolve));

/** Tells in which order requests entered. */
function entering(admission: Admission) {
  const entered: string[] = [];
  const leave = new Map<string, () => void>();
  const enter = async (name: string, rows: number, bytes: number, own = signal) => {
    leave.set(name, await admission.enter({ rows, bytes }, own));
    entered.push(name);
  };
  return { entered, enter, leave: (name: string) => leave.get(name)!() };
}

test("requests run as far as rows and bytes last, then in the order in which they came", async () => {
  const admission = new Admission({ rows: 3, bytes: 100, queue: 8 });
  const { entered, enter, leave } = entering(admission);
  const all = [enter("a", 1, 60), enter("b", 1, 50), enter("c", 3, 10), enter("d", 1, 10)];
  await tick();
  expect([entered, admission.waiting, admission.taken]).toEqual([["a"], 3, { rows: 1, bytes: 60 }]);
  leave("a");
  await tick();
  expect(entered).toEqual(["a", "b"]); // d would fit, but c was there first
  leave("b");
  leave("b"); // a second time gives nothing back
  await tick();
  expect([entered, admission.taken]).toEqual([["a", "b", "c"], { rows: 3, bytes: 10 }]);
  leave("c");
  await Promise.all(all);
  leave("d");
  expect([admission.waiting, admission.taken]).toEqual([0, { rows: 0, bytes: 0 }]);
});

test("one that leaves the queue lets those behind it in", async () => {
  const admission = new Admission({ rows: 2, bytes: 100, queue: 8 });
  const { entered, enter } = entering(admission);
  const abort = new AbortController();
  await enter("a", 1, 1);
  const large = enter("large", 2, 1, abort.signal);
  const small = enter("small", 1, 1);
  await tick();
  expect(entered).toEqual(["a"]);
  abort.abort(new Error("left"));
  await expect(large).rejects.toThrow("left");
  await small;
  expect([entered, admission.waiting]).toEqual([["a", "small"], 0]);
});

test("a full queue refuses with status 429 and says when to try again", async () => {
  const admission = new Admission({ rows: 1, bytes: 10, queue: 1 });
  const need = { rows: 1, bytes: 1 };
  const leave = await admission.enter(need, signal);
  const waiting = admission.enter(need, signal);
  await expect(admission.enter(need, signal)).rejects.toMatchObject({
    status: 429,
    message: "1 requests wait already, as many as this server lets wait: try again later",
    headers: { "retry-after": "1" },
  });
  leave();
  (await waiting)();
});

test("what could never run is refused at once, by its number", async () => {
  const admission = new Admission({ rows: 2, bytes: 10, queue: 1 });
  await expect(admission.enter({ rows: 3, bytes: 1 }, signal)).rejects.toMatchObject({ status: 400 });
  await expect(admission.enter({ rows: 1, bytes: 11 }, signal)).rejects.toThrow(
    "can take 11 bytes, but this server has 10",
  );
});
