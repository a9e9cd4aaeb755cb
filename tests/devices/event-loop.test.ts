// The caller's event loop stays free while the devices work: a 10 ms timer keeps firing during a prefill.

import { Worker } from "node:worker_threads";
import { loadModel } from "kedge";
import { expect, test } from "vitest";
import { testDevice } from "../support/devices.ts";
import { CONTROL, expectNoLongWait, longPrompt, promptTokens } from "../support/event-loop.ts";

const control = new Worker(CONTROL, { eval: true });
control.unref();

/** The longest wait of the idle thread since it was last asked. */
function controlWait(): Promise<number> {
  const answer = new Promise<number>((resolve) => control.once("message", resolve));
  control.postMessage("", []);
  return answer;
}

/** The longest time between two ticks of a 10 ms timer, and their number, while `work` goes on. */
async function longestWait(work: () => Promise<unknown>) {
  await controlWait();
  let [last, wait, ticks] = [performance.now(), 0, 0];
  const look = () => {
    const now = performance.now();
    wait = Math.max(wait, now - last);
    last = now;
  };
  const timer = setInterval(() => {
    look();
    ticks++;
  }, 10);
  await work();
  clearInterval(timer);
  look(); // work that never let the timer fire counts whole
  return { wait, ticks, control: await controlWait() };
}

test.each((["wasm", "webgpu"] as const).map((name) => [promptTokens(name), name] as const))(
  "a prefill of %i tokens on %s holds no timer up",
  async (count, name) => {
    const device = await testDevice(name);
    const model = await loadModel("models/kedge-js-5m", { device });
    const tokens = model.tokenize(longPrompt(model, count));
    await expectNoLongWait(async () => {
      const round = await longestWait(() => model.forward(tokens, { logits: "last" }));
      expect(round.ticks, "the prefill is long enough to be seen").toBeGreaterThan(3);
      return round;
    });
    await model.dispose();
    await device.dispose();
  },
  60_000,
);

/** Keeps the event loop to itself. */
async function hold(): Promise<void> {
  const end = performance.now() + 400;
  while (performance.now() < end);
}

test("the measure sees a loop that is held up", async () => {
  const { wait } = await longestWait(hold);
  expect(wait).toBeGreaterThanOrEqual(400);
  await expect(expectNoLongWait(() => longestWait(hold))).rejects.toThrow(/waits of a 10 ms timer were 4\d\d \(/);
});
