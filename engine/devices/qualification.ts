// Which implementations a device uses for a program: those that fit its calls (choose.ts), compile, and give right answers here.
//
// Before its first use an implementation runs on known answers: the samples of its kernel, in the format of the call. An
// implementation that is wrong or does not compile on this machine is demoted: a warning names it, and it is not used again. A
// verdict is kept; a test that could not run, such as for want of memory, leaves no verdict and is run again at the next use.

import type { Implementation, Kernel, MatrixFormat, Trial } from "../../kernels/index.ts";
import {
  chooseByRows,
  fittingFor,
  formatOf,
  hasAllRows,
  implementationsIn,
  trialsFor,
  type ForRows,
  type RowChoices,
  type Traits,
} from "./choose.ts";
import { DeviceError, type Demotion, type Device, type Executable, type PrepareOptions } from "./device.ts";
import type { Call, Program } from "./program.ts";
import { runTrialWith, type TrialDevice } from "./trial-run.ts";

/** This machine does not take an implementation: its shader does not compile, or its module lacks the function. */
export class CompileError extends Error {
  override readonly name = "CompileError";
}

/** An implementation made ready for a call, and the counts of rows begin..end that it is for. */
export interface Ready<I extends Implementation, Made> extends ForRows<I> {
  readonly made: Made;
}

/** How one device qualifies its implementations. */
export interface QualificationOptions<I extends Implementation, Made, E extends Executable> {
  readonly device: TrialDevice & Pick<Device, "description" | "tuning">;
  readonly traits: Traits;
  readonly isDeterministic: boolean;
  /** whether tests and compilations run at once; by default one after the other */
  readonly isParallel?: boolean;
  readonly implementationsOf: (kernel: Kernel) => readonly I[];
  /** makes an implementation ready for a call; throws a CompileError where this machine does not take it */
  readonly compile: (call: Call, implementation: I) => Made | Promise<Made>;
  /** the program of calls that are ready; each has its implementations by rows, fewest rows first */
  readonly assemble: (program: Program, calls: readonly (readonly Ready<I, Made>[])[]) => E;
  /** is given each test's program after a right answer */
  readonly warmUp?: (executable: E) => Promise<unknown>;
  /** why none of its implementations fits a call, in words */
  readonly explain?: (call: Call) => string;
}

/** How a program is prepared; `rank` sorts implementations that fit, lowest first, where a device has an order of its own. */
export interface QualifyOptions<I extends Implementation> extends PrepareOptions {
  readonly rank?: ((implementation: I) => number) | undefined;
}

/** A known-answer test, and the signal that ends it. */
interface Running {
  readonly test: Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/** The implementations of one device: which are right, and which were demoted. */
export class Qualification<I extends Implementation, Made, E extends Executable> {
  readonly demotions: Demotion[] = [];
  readonly #options: QualificationOptions<I, Made, E>;
  readonly #reasons = new Map<I, string>();
  readonly #tests = new Map<I, Map<MatrixFormat | undefined, Running>>();

  constructor(options: QualificationOptions<I, Made, E>) {
    this.#options = options;
  }

  /** True if an implementation fits the call and was not demoted. */
  hasFitting(call: Call): boolean {
    return this.#fitting(call, {}).length > 0;
  }

  /**
   * The program with implementations that are right here. Chooses anew as long as one of those chosen is demoted. Throws a
   * DeviceError of kind "unfit" where a call has none left.
   */
  async prepare(program: Program, options: QualifyOptions<I> = {}): Promise<E> {
    const { signal, onProgress, isTested = true } = options;
    for (;;) {
      signal?.throwIfAborted();
      const choices = program.calls.map((call) => this.#choose(call, options));
      const tested = isTested ? testsOf(program, choices) : [];
      const total = tested.length + choices.reduce((sum, ones) => sum + ones.length, 0);
      let done = 0;
      const tasks = tested.map(({ kernel, implementation, format }) => async () => {
        await this.#test(kernel, implementation, format, signal);
        signal?.throwIfAborted();
        onProgress?.(++done, total);
      });
      const calls: Ready<I, Made>[][] = choices.map(() => []);
      for (const [i, call] of program.calls.entries()) {
        for (const [place, choice] of choices[i]!.entries()) {
          tasks.push(async () => {
            const compiled = await this.#compile(call, choice.implementation);
            if (compiled) calls[i]![place] = { ...choice, ...compiled };
            onProgress?.(++done, total);
          });
        }
      }
      await this.#each(tasks);
      const isRight = choices.every((ones) => ones.every(({ implementation }) => !this.#reasons.has(implementation)));
      if (isRight) return this.#options.assemble(program, calls);
    }
  }

  /** The implementations of a call by rows, without those demoted. Throws a DeviceError of kind "unfit" where there are none. */
  #choose(call: Call, { isTuned = true, ...options }: QualifyOptions<I>): RowChoices<I> {
    const { device, isDeterministic, explain } = this.#options;
    const fitting = this.#fitting(call, options);
    const choices = chooseByRows(call, fitting, { isDeterministic, measured: isTuned ? device.tuning : undefined });
    if (hasAllRows(call, choices)) return choices;
    const { kernel, label } = call;
    const reasons = this.#options.implementationsOf(kernel).flatMap((one) => {
      const reason = this.#reasons.get(one);
      return reason === undefined ? [] : [`; ${one.name} is not used: ${reason}`];
    });
    const why = `${explain ? `: ${explain(call)}` : ""}${reasons.join("")}`;
    throw new DeviceError("unfit", `${label}: no implementation of ${kernel.name} fits here${why}`);
  }

  #fitting(call: Call, { only, rank }: QualifyOptions<I>): readonly I[] {
    const { traits, isDeterministic, implementationsOf } = this.#options;
    const left = implementationsOf(call.kernel).filter((one) => !this.#reasons.has(one) && (only?.(call, one) ?? true));
    const fitting = fittingFor(call, left, { traits, isDeterministic });
    return rank ? [...fitting].sort((a, b) => rank(a) - rank(b)) : fitting;
  }

  /** What a device makes of an implementation for a call; undefined if it does not compile, which demotes it. */
  async #compile(call: Call, implementation: I): Promise<{ readonly made: Made } | undefined> {
    try {
      return { made: await this.#options.compile(call, implementation) };
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      this.#demote(implementation, error.message);
      return undefined;
    }
  }

  /** The known-answer test of an implementation in a format, run once; a wrong answer demotes it. An abort leaves no verdict. */
  async #test(
    kernel: Kernel,
    implementation: I,
    format: MatrixFormat | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const tests = this.#tests.get(implementation) ?? new Map<MatrixFormat | undefined, Running>();
    this.#tests.set(implementation, tests);
    for (;;) {
      const known = tests.get(format);
      if (known) {
        try {
          return await known.test;
        } catch (error) {
          // aborted by who began it, not by who waits here
          if (known.signal?.aborted !== true || known.signal === signal) throw error;
          signal?.throwIfAborted();
          continue;
        }
      }
      const trials = trialsFor(kernel, implementation, this.#options.traits, format ?? "f32");
      const test = this.#each(trials.map((trial) => () => this.#try(trial, implementation, signal)));
      tests.set(format, { test, signal });
      test.catch(() => tests.delete(format)); // it could not run: that is no verdict
    }
  }

  async #try(trial: Trial, implementation: I, signal: AbortSignal | undefined): Promise<void> {
    const { device, compile, assemble, warmUp } = this.#options;
    try {
      const open = async (program: Program) => {
        const made = await compile(program.calls[0]!, implementation);
        return assemble(program, [[{ implementation, begin: 0, end: Number.POSITIVE_INFINITY, made }]]);
      };
      const wrong = await runTrialWith(device, trial, implementation, open, { whenRight: warmUp, signal });
      if (!wrong) return;
      const reason = `${wrong.buffer}[${wrong.index}] of its known-answer test is ${wrong.got}, not ${wrong.want}`;
      this.#demote(implementation, reason);
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      this.#demote(implementation, error.message);
    }
  }

  #demote(implementation: I, reason: string): void {
    if (this.#reasons.has(implementation)) return;
    this.#reasons.set(implementation, reason);
    this.demotions.push({ implementation: implementation.name, reason });
    console.warn(
      `kedge: ${implementation.name} is wrong on ${this.#options.device.description} and is not used: ${reason}`,
    );
  }

  async #each(tasks: readonly (() => Promise<void>)[]): Promise<void> {
    if (this.#options.isParallel) await Promise.all(tasks.map((task) => task()));
    else for (const task of tasks) await task();
  }
}

interface Tested<I extends Implementation> {
  readonly kernel: Kernel;
  readonly implementation: I;
  readonly format: MatrixFormat | undefined;
}

/** The known-answer tests that a program needs, each once. */
function testsOf<I extends Implementation>(program: Program, choices: readonly RowChoices<I>[]): readonly Tested<I>[] {
  const tests: Tested<I>[] = [];
  for (const [i, call] of program.calls.entries()) {
    const format = formatOf(call);
    for (const implementation of implementationsIn(choices[i]!)) {
      const isKnown = tests.some((one) => one.implementation === implementation && one.format === format);
      if (!isKnown) tests.push({ kernel: call.kernel, implementation, format });
    }
  }
  return tests;
}
