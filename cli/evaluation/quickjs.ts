// Runs one program after the other in QuickJS, an interpreter compiled to WebAssembly. Runs on a worker thread only: an
// interpreter that is busy in one builtin cannot be interrupted, and its thread must then be ended (see sandbox.ts).
//
// Every program gets an instance of the WebAssembly module of its own, some milliseconds each: a fault of the interpreter that a program
// finds and uses can change nothing for the next.
//
// The outcome is made here, of what the host counts and compares. What a program throws, returns or prints is text in a message.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import variant from "@jitl/quickjs-wasmfile-release-sync";
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  Scope,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSWASMModule,
} from "quickjs-emscripten-core";
import { canonicalJson, GUEST_PRELUDE, OUT_OF_MEMORY, testFunction, WRITTEN } from "./guest.ts";
import { failure, type Limits, type Outcome } from "./outcome.ts";
import type { Case, Check, Program } from "./task.ts";

/** Stack of the interpreter: some 12 000 plain calls, about as many as Node has by default. */
const STACK_BYTES = 2 << 20;
/** How long a set's own solution may run whose assertions are counted: within the time that a worker has to answer. */
const REFERENCE_MS = 500;
/** Jobs (continuations of promises) between two looks at the clock. */
const JOBS_AT_ONCE = 1000;

const hashes = new Set(["md5", "sha1", "sha256", "sha512"]);
const encodings = new Set(["hex", "base64"] as const);
type HashEncoding = "hex" | "base64";

/** Thrown inside this file to end a run with its outcome. */
class Ended extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    super();
    this.outcome = outcome;
  }
}

/** Runs a program within limits; never throws. */
export type Runner = (program: Program, limits: Limits) => Promise<Outcome>;

/** An outcome, and how many assertions of a script of tests ran up to it. */
interface Judgement {
  readonly outcome: Outcome;
  readonly assertions: number;
}

/** Compiles the interpreter, and gives the function that runs programs in it, one at a time. */
export async function createRunner(): Promise<Runner> {
  const path = createRequire(import.meta.url).resolve("@jitl/quickjs-wasmfile-release-sync/wasm");
  const { WebAssembly } = globalThis as unknown as { WebAssembly: { compile(bytes: Uint8Array): Promise<object> } };
  const wasmModule = (await WebAssembly.compile(new Uint8Array(await readFile(path)))) as never;
  const silent: object = { print: () => {}, printErr: () => {} }; // it reports its own faults, which are expected here
  const custom = newVariant(variant, { wasmModule, emscriptenModule: silent });
  const judge = async (program: Program, limits: Limits): Promise<Judgement> =>
    runOnce(await newQuickJSWASMModuleFromVariant(custom), program, limits);

  /** Of the last task: samples of one task come one after the other. */
  let counted = { key: "", assertions: 0 };
  /** How many assertions of its tests the set's own solution comes to; a program that passes has come to as many. */
  async function wantedAssertions({ reference, check }: Program, limits: Limits): Promise<number> {
    if (reference === undefined || check.kind !== "script") return 0;
    const key = `${reference}\0${check.source}`;
    if (counted.key !== key) {
      const { assertions } = await judge(
        { language: "javascript", source: reference, check },
        { ...limits, timeMs: REFERENCE_MS },
      );
      counted = { key, assertions };
    }
    return counted.assertions;
  }

  return async (program, limits) => {
    const { outcome, assertions } = await judge(program, limits);
    if (!outcome.passed) return outcome;
    const wanted = await wantedAssertions(program, limits);
    return assertions >= wanted
      ? outcome
      : failure("assertion", `${assertions} of ${wanted} assertions of the tests were reached`);
  };
}

/** Runs a program in an instance that nothing has run in. */
function runOnce(instance: QuickJSWASMModule, program: Program, limits: Limits): Judgement {
  let run: Run | undefined;
  try {
    const scope = new Scope();
    const runtime = scope.manage(instance.newRuntime());
    runtime.setMemoryLimit(limits.memoryBytes);
    runtime.setMaxStackSize(STACK_BYTES);
    const context = scope.manage(runtime.newContext());
    run = new Run(scope, instance, runtime, context, limits);
    return { outcome: run.judge(program), assertions: run.assertions };
  } catch (error) {
    const outcome = error instanceof Ended ? error.outcome : faultOutcome(error);
    return { outcome, assertions: run?.assertions ?? 0 };
  }
}

/** The interpreter itself gave up: V8's stack was too small for it, or its own memory could not grow. */
function faultOutcome(error: unknown): Outcome {
  const reason = error instanceof Error ? error.message : String(error);
  if (/memory|OOM/i.test(reason)) return failure("memory", "out of memory");
  if (error instanceof RangeError) return failure("exception", "InternalError: stack overflow");
  return failure("exception", `the interpreter gave up: ${reason.split("\n")[0]}`);
}

class Run {
  readonly #scope: Scope;
  readonly #instance: QuickJSWASMModule;
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #limits: Limits;
  readonly #guest: Readonly<Record<"parse" | "canonical" | "describe" | "kindOf" | "runTests", QuickJSHandle>>;
  readonly #deadline: number;
  #isLate = false;
  #assertions = 0;
  #failedAssertions: number[] = [];

  constructor(
    scope: Scope,
    instance: QuickJSWASMModule,
    runtime: QuickJSRuntime,
    context: QuickJSContext,
    limits: Limits,
  ) {
    this.#scope = scope;
    this.#instance = instance;
    this.#runtime = runtime;
    this.#context = context;
    this.#limits = limits;

    const report = scope.manage(
      context.newFunction("report", (isTrue) => {
        this.#assertions++;
        if (context.dump(isTrue) !== true) this.#failedAssertions.push(this.#assertions);
      }),
    );
    const hash = scope.manage(
      context.newFunction("hash", (algorithm, text, encoding) => {
        const [name, form] = [context.getString(algorithm), context.getString(encoding)];
        if (!hashes.has(name)) throw new Error(`Digest method not supported: ${name}`);
        if (!encodings.has(form as HashEncoding)) throw new Error(`digest encoding not supported: ${form}`);
        return context.newString(
          createHash(name)
            .update(context.getString(text))
            .digest(form as HashEncoding),
        );
      }),
    );
    const prelude = scope.manage(context.unwrapResult(context.evalCode(GUEST_PRELUDE, "prelude.js")));
    const parts = scope.manage(context.unwrapResult(context.callFunction(prelude, context.undefined, report, hash)));
    const part = (name: string): QuickJSHandle => scope.manage(context.getProp(parts, name));
    this.#guest = {
      parse: part("parse"),
      canonical: part("canonical"),
      describe: part("describe"),
      kindOf: part("kindOf"),
      runTests: part("runTests"),
    };
    this.#deadline = performance.now() + limits.timeMs;
    runtime.setInterruptHandler(() => this.#isOver());
  }

  /** of the tests, so far */
  get assertions(): number {
    return this.#assertions;
  }

  judge({ source, check }: Program): Outcome {
    this.#parse(source, "program.js");
    this.#evaluate(source, "program.js");
    this.#finishJobs();
    switch (check.kind) {
      case "cases":
        return this.#judgeCases(check);
      case "script":
        this.#parse(`${source}\n${check.source}`, "program.js"); // they are one script to HumanEval-X: a name declared twice
        return this.#judgeScript(check.source);
    }
    return check satisfies never;
  }

  #judgeScript(source: string): Outcome {
    try {
      const wrapped = testFunction(source);
      this.#parse(wrapped, "tests.js");
      const tests = this.#evaluate(wrapped, "tests.js");
      this.#scope.manage(this.#call(this.#guest.runTests, tests));
      this.#finishJobs();
    } catch (error) {
      const isError = error instanceof Ended && !error.outcome.passed && error.outcome.kind === "exception";
      if (!isError || this.#failedAssertions.length === 0) throw error;
    }
    const [first] = this.#failedAssertions;
    if (first !== undefined) {
      const { length } = this.#failedAssertions;
      return failure("assertion", `${length} of ${this.#assertions} assertions failed, number ${first} first`);
    }
    if (this.#assertions === 0) return failure("assertion", "the tests asserted nothing");
    return { passed: true };
  }

  #judgeCases({ entryPoint, cases }: Extract<Check, { kind: "cases" }>): Outcome {
    const entry = this.#evaluate(entryPoint, "entry.js");
    const kind = this.#context.typeof(entry);
    if (kind !== "function") {
      const name = this.#context.getString(this.#scope.manage(this.#call(this.#guest.kindOf, entry)));
      return failure("exception", `${entryPoint} is ${name}, not a function`);
    }
    for (const [index, one] of cases.entries()) {
      const got = this.#answer(entry, one);
      const wanted = canonicalJson(one.expected);
      if (got !== wanted) {
        const place = `case ${index + 1} of ${cases.length}: ${entryPoint}(${short(canonicalJson(one.input))})`;
        return failure("assertion", `${place} returned ${short(got)}, wanted ${short(wanted)}`);
      }
    }
    return { passed: true };
  }

  /** The entry point's result for an input, in canonical form; a promise is awaited. */
  #answer(entry: QuickJSHandle, { input }: Case): string {
    return Scope.withScope((scope) => {
      const text = scope.manage(this.#context.newString(JSON.stringify(input)));
      const argument = scope.manage(this.#call(this.#guest.parse, text));
      const returned = scope.manage(this.#call(entry, argument));
      this.#finishJobs();
      const state = this.#context.getPromiseState(returned);
      if (state.type === "pending") return "a promise that nothing resolves";
      if (state.type === "rejected") throw this.#thrown(scope.manage(state.error));
      const value = state.notAPromise === true ? returned : scope.manage(state.value);
      const written = this.#context.getString(scope.manage(this.#call(this.#guest.canonical, value)));
      return written.startsWith(WRITTEN) ? written.slice(WRITTEN.length) : written;
    });
  }

  /** Ends the run for a source that does not parse; what a program throws is never taken for that. */
  #parse(source: string, name: string): void {
    const result = this.#context.evalCode(source, name, { type: "global", compileOnly: true });
    if (result.error !== undefined) throw this.#thrown(this.#scope.manage(result.error), true);
    this.#scope.manage(result.value);
    this.#throwIfLate();
  }

  #evaluate(source: string, name: string): QuickJSHandle {
    const result = this.#context.evalCode(source, name, { type: "global" });
    if (result.error !== undefined) throw this.#thrown(this.#scope.manage(result.error));
    const value = this.#scope.manage(result.value);
    this.#throwIfLate();
    return value;
  }

  #call(target: QuickJSHandle, argument: QuickJSHandle): QuickJSHandle {
    const result = this.#context.callFunction(target, this.#context.undefined, argument);
    if (result.error !== undefined) throw this.#thrown(this.#scope.manage(result.error));
    this.#throwIfLate();
    return result.value;
  }

  /** Runs what promises have scheduled until nothing is left. */
  #finishJobs(): void {
    while (this.#runtime.hasPendingJob()) {
      const result = this.#runtime.executePendingJobs(JOBS_AT_ONCE);
      if (result.error !== undefined) {
        const { context } = result.error;
        const thrown = this.#thrown(this.#scope.manage(result.error));
        if (context !== this.#context) context.dispose();
        throw thrown;
      }
      this.#throwIfLate();
    }
  }

  #isOver(): boolean {
    this.#isLate ||= performance.now() > this.#deadline;
    return this.#isLate;
  }

  #lateness(): Ended {
    return new Ended(failure("timeout", `ran longer than ${this.#limits.timeMs} ms`));
  }

  #throwIfLate(): void {
    if (this.#isOver()) throw this.#lateness();
  }

  /** A lack of memory is thrown as null where none was left for the error: then the interpreter has grown to its limit. */
  #isLarge(): boolean {
    const byteLength: number = this.#instance.getWasmMemory().buffer.byteLength;
    return byteLength > this.#limits.memoryBytes / 2;
  }

  /** The outcome of something that the program threw. */
  #thrown(error: QuickJSHandle, isUnparsed = false): Ended {
    if (this.#isOver()) return this.#lateness();
    const described = this.#context.callFunction(this.#guest.describe, this.#context.undefined, error);
    if (this.#isOver()) return this.#lateness();
    if (described.error !== undefined) {
      described.error.dispose();
      return new Ended(failure("memory", "out of memory"));
    }
    const message = described.value.consume((handle) => this.#context.getString(handle));
    if (message.startsWith(OUT_OF_MEMORY) || (message === "threw null" && this.#isLarge()))
      return new Ended(failure("memory", "out of memory"));
    return new Ended(failure(isUnparsed ? "syntax" : "exception", message));
  }
}

/** A value in a message. */
function short(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}
