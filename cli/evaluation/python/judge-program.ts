// Judges one program in two fresh interpreters.

import { failure, notJudged, outcomeOf, type Limits, type Outcome } from "../outcome.ts";
import type { Program } from "../task.ts";
import type { Interpreter } from "./interpreter.ts";
import { Stopped } from "./system-calls.ts";
import { wallMs } from "./time-limit.ts";

/** Memory of the interpreter that runs the tests, which are the set's own: the largest of MBPP+ takes a third of it. */
const TESTS_BYTES = 512 << 20;
/** The most that a program may answer at once, as JSON. */
const ANSWER_BYTES = 32 << 20;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const now = performance.now.bind(performance);

/** Runs a program and its tests; never throws. `processorMs` is the time that this process has computed. */
export async function judgeProgram(
  interpreter: Interpreter,
  { source, check, entryPoint, reference }: Program,
  { timeMs, memoryBytes }: Limits,
  processorMs: () => number,
): Promise<Outcome> {
  if (check.kind !== "script") return notJudged("needs tests that are a script");
  const [begin, deadline] = [processorMs(), now() + wallMs(timeMs)];
  let nextLook = now() + timeMs; // before that much time has gone by, none can have been spent
  const onTick = (): void => {
    const time = now();
    if (time < nextLook) return;
    nextLook = time + 50;
    if (time > deadline || processorMs() - begin > timeMs)
      throw new Stopped(failure("timeout", `ran longer than ${timeMs} ms`));
  };
  try {
    const guest = await interpreter.open({ memoryBytes: interpreter.imageBytes + memoryBytes, onTick });
    const judge = await interpreter.open({
      memoryBytes: interpreter.imageBytes + TESTS_BYTES,
      onTick,
      onRequest(request) {
        onTick();
        const answer = guest.call("guest", request);
        if (answer.length > ANSWER_BYTES)
          throw new Stopped(failure("exception", `answered with more than ${ANSWER_BYTES} bytes`));
        return answer;
      },
    });
    const request = { program: source, tests: check.source, entry: entryPoint ?? null, reference: reference ?? null };
    const answer = judge.call("judge", encoder.encode(JSON.stringify(request)));
    const { kind, message = "" } = JSON.parse(decoder.decode(answer)) as { kind: string | null; message?: string };
    return outcomeOf(kind, message);
  } catch (error) {
    return error instanceof Stopped ? error.outcome : failure("exception", `the interpreter gave up: ${String(error)}`);
  }
}
