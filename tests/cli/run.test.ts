// kedge run: where its prompt comes from, what goes to stdout and what to stderr, and how it ends.

import { readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, describe, expect, test } from "vitest";
import { main } from "../../cli/main.ts";
import { kedge, spawned } from "../support/command.ts";

const MODEL = "models/kedge-js-5m";
const folder = mkdtempSync(join(tmpdir(), "kedge-run-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const greedy = JSON.parse(readFileSync(`${MODEL}/greedy.json`, "utf8")) as {
  text: string;
  ids: number[];
  greedy: number[];
  greedy_text: string;
};
/** The whole function that the model writes after its example: as made elsewhere, up to the line that closes it. */
const example = greedy.greedy_text.slice(0, greedy.greedy_text.indexOf("\n}\n") + 3);
const written = example.slice(greedy.text.length);
const onWasm = ["--device", "wasm"];

/** Streams that the test holds both ends of. */
const streams = () => {
  const stdout = new PassThrough();
  const chunks: string[] = [];
  stdout.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  const { signal } = new AbortController();
  return {
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough(),
    signal,
    env: {},
    text: () => chunks.join(""),
  };
};

/** The most bytes that a run has in its cache. */
const peak = async (...more: readonly string[]) => {
  const args = ["run", MODEL, greedy.text, ...onWasm, "--max-tokens", "30", "--json", "--quiet", ...more];
  return (JSON.parse((await kedge(args)).stdout) as { memory: { cache: { peak: number } } }).memory.cache.peak;
};

describe("the prompt", () => {
  test("is the model's example where there is none: it is printed, completed to the end of the function, and explained", async () => {
    const { code, stdout, stderr } = await kedge(["run", MODEL, ...onWasm], {
      isTerminal: true,
      env: { NO_COLOR: "1" },
    });
    expect(stdout).toBe(example);
    expect(stderr).toMatch(/models\/kedge-js-5m \(llama, .*B of weights\) on wasm, .*; loaded in /);
    expect(stderr).toMatch(
      /26 tokens read at [\d.,]+\/s, 41 written at [\d.,]+\/s; weights .*B, cache .*B; ended because/,
    );
    expect(stderr).toMatch(/try next:\n {2}npx kedge run models\/kedge-js-5m /);
    expect(code).toBe(0);
  });

  test("is the argument as it is, and only what follows it is printed", async () => {
    const { code, stdout, stderr } = await kedge(["run", MODEL, greedy.text, ...onWasm, "--quiet"]);
    expect([code, stdout, stderr]).toEqual([0, written, ""]);
  });

  test("is printed, too, with --echo", async () => {
    const { stdout } = await kedge(["run", MODEL, greedy.text, ...onWasm, "--echo", "--quiet"]);
    expect(stdout).toBe(example);
  });

  test("comes from stdin, or from a file", async () => {
    const file = join(folder, "prompt.txt");
    writeFileSync(file, greedy.text);
    const piped = { stdin: greedy.text };
    for (const [args, surroundings] of [
      [[], piped],
      [["--prompt-file", "-"], piped],
      [["--prompt-file", file], {}],
    ] as const) {
      const { stdout } = await kedge(["run", MODEL, ...args, ...onWasm, "--quiet"], surroundings);
      expect(stdout).toBe(written);
    }
  });

  test("is waited for where stdin is silent at first, and the example is taken where it stays so", async () => {
    const slow = streams();
    setTimeout(() => slow.stdin.write(greedy.text.slice(0, 40)), 300);
    setTimeout(() => slow.stdin.end(greedy.text.slice(40)), 1400);
    const silent = streams();
    await Promise.all([slow, silent].map((one) => main(["run", MODEL, ...onWasm], one)));
    expect(slow.text()).toBe(written);
    expect(silent.text()).toBe(example);
  });
});

describe("the text", () => {
  test("as JSON: tokens as made elsewhere, why it ended, times and memory", async () => {
    const args = ["run", MODEL, greedy.text, ...onWasm, "--max-tokens", "60", "--stop", "never", "--json", "--quiet"];
    const result = JSON.parse((await kedge(args)).stdout) as Record<string, unknown>;
    expect(result).toMatchObject({
      model: MODEL,
      device: "wasm",
      prompt: greedy.text,
      completions: [
        {
          text: greedy.greedy_text.slice(greedy.text.length),
          tokens: greedy.greedy.slice(26),
          finishReason: "max-tokens",
        },
      ],
      prefill: { tokens: 26 },
      decode: { tokens: 59 },
      memory: { cache: { peak: 85 * 6 * 2 * 2 * 64 * 4 } },
    });
  });

  test("with log-probabilities of each token and of the likeliest", async () => {
    const args = ["run", MODEL, greedy.text, ...onWasm, "--max-tokens", "3", "--log-probs", "2", "--json", "--quiet"];
    const { completions } = JSON.parse((await kedge(args)).stdout) as {
      completions: {
        tokens: number[];
        logProbs: { token: number; logProb: number; alternatives: { token: number }[] }[];
      }[];
    };
    const [{ tokens, logProbs }] = completions as [(typeof completions)[number]];
    expect(logProbs.map(({ token }) => token)).toEqual(tokens);
    for (const { token, logProb, alternatives } of logProbs) {
      expect(logProb).toBeLessThanOrEqual(0);
      expect(alternatives).toHaveLength(2);
      expect(alternatives[0]!.token).toBe(token);
    }
  });

  test("ends before a stop text, and after --max-tokens", async () => {
    const stopped = await kedge(["run", MODEL, greedy.text, ...onWasm, "--stop", "filter", "--stop", "reduce"]);
    expect(stopped.stdout).toBe(`${written.slice(0, written.indexOf("filter"))}\n`);
    expect(stopped.stderr).toContain("a stop text came");
    const short = await kedge(["run", MODEL, greedy.text, ...onWasm, "--max-tokens", "2"]);
    expect(written.startsWith(short.stdout.replace(/\n$/, ""))).toBe(true);
    expect(short.stderr).toContain("the limit of 2 tokens was reached (--max-tokens)");
  });

  test("several samples, one after the other, the same for the same seed", async () => {
    const args = [...onWasm, "--samples", "3", "--temperature", "5", "--max-tokens", "8", "--quiet"];
    const of = async (seed: string) => (await kedge(["run", MODEL, greedy.text, ...args, "--seed", seed])).stdout;
    const one = await of("7");
    expect(one.match(/^── \d of 3$/gm)).toEqual(["── 1 of 3", "── 2 of 3", "── 3 of 3"]);
    expect(await of("7")).toBe(one);
    expect(await of("8")).not.toBe(one);
  });

  test("with a policy of the cache, whose keys are fewer", async () => {
    expect(await peak("--cache", "window:16")).toBeLessThan(await peak());
  });

  test("with keys and values in fewer bytes, exactly", async () => {
    const whole = await peak();
    expect(await peak("--cache-type", "f16")).toBe(whole / 2);
    expect(await peak("--cache-type", "int8")).toBe((whole * 17) / 64);
  });
});

describe("a run that is interrupted", () => {
  const endless = ["--stop", "never", "--max-tokens", "900", "--quiet"];

  test("ends with what there is, and exit code 130", async () => {
    const interruption = new AbortController();
    const onOutput = () => interruption.abort(new Error("interrupted"));
    const { code, stdout, stderr } = await kedge(["run", MODEL, greedy.text, ...onWasm, ...endless], {
      signal: interruption.signal,
      onOutput,
    });
    expect(written.startsWith(stdout.replace(/\n$/, ""))).toBe(true);
    expect(stdout.length).toBeGreaterThan(1);
    expect([code, stderr]).toEqual([130, ""]);
  });

  test("by Ctrl-C", async () => {
    const { code, stdout } = await spawned(["run", MODEL, greedy.text, ...onWasm, ...endless], {
      onOutput: (child) => child.kill("SIGINT"),
    });
    expect(stdout.length).toBeGreaterThan(0);
    expect(stdout.length).toBeLessThan(2000);
    expect(code).toBe(130);
  });

  test("by a reader that goes away, quietly", async () => {
    const { code, stderr } = await spawned(["run", MODEL, greedy.text, ...onWasm, ...endless], {
      onOutput: (child) => child.stdout!.destroy(),
    });
    expect([code, stderr]).toEqual([1, ""]);
  });
});

test("the built command says its version and helps with every verb", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(await spawned(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  const { stdout } = await kedge(["--help"]);
  const verbs = stdout.match(/^ {2}[a-z]+(?= )/gm)!.map((verb) => verb.trim());
  for (const verb of ["run", "chat", "inspect", "estimate", "verify", "doctor", "bench"]) {
    expect(verbs).toContain(verb);
    const help = await kedge([verb, "--help"]);
    expect(help.stdout).toContain(`Usage: kedge ${verb} [options]`);
    expect([help.code, help.stderr]).toEqual([0, ""]);
  }
});
