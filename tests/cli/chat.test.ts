// kedge chat: turns from a pipe and from a terminal, its commands, Ctrl-C, and a conversation that grows too long.

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../../cli/main.ts";
import { kedge } from "../support/command.ts";
import { tinyFiles } from "../support/tiny-model.ts";

const SHIPPED = "models/kedge-js-5m";
const folder = mkdtempSync(join(tmpdir(), "kedge-chat-"));
const talkative = join(folder, "talkative");
const TEMPLATE =
  "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}" +
  "{% if add_generation_prompt %}assistant:{% endif %}";
const settings = ["--device", "reference", "--max-tokens", "5"];

beforeAll(async () => {
  mkdirSync(talkative);
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) cpSync(join(SHIPPED, file), join(talkative, file));
  for (const [file, blob] of tinyFiles({ vocab_size: 1024 })) {
    writeFileSync(join(talkative, file), new Uint8Array(await blob.arrayBuffer()));
  }
  writeFileSync(join(talkative, "chat_template.jinja"), TEMPLATE);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const say = (stdin: string, ...more: readonly string[]) => kedge(["chat", talkative, ...settings, ...more], { stdin });
/** What `kedge run` makes of the text that the template stands for. */
const continued = (text: string) => kedge(["run", talkative, text, ...settings, "--quiet"]);

test("a line is a turn, and its answer follows the template's text", async () => {
  const { code, stdout } = await say("keep words\n");
  expect(stdout).toBe((await continued("user: keep words\nassistant:")).stdout);
  expect(code).toBe(0);
});

test("a second turn has the first before it", async () => {
  const one = (await say("keep words\n")).stdout;
  const both = (await say("keep words\n\nand numbers\n")).stdout;
  expect(both.startsWith(one)).toBe(true);
  const history = `user: keep words\nassistant: ${one.replace(/\n$/, "")}\nuser: and numbers\nassistant:`;
  expect(both.slice(one.length)).toBe((await continued(history)).stdout);
});

test("--system stands before the conversation", async () => {
  const { stdout } = await say("keep words\n", "--system", "be brief");
  expect(stdout).toBe((await continued("system: be brief\nuser: keep words\nassistant:")).stdout);
});

test("/clear begins anew, /stats counts, /exit leaves, and another command is refused with those that there are", async () => {
  const one = (await say("keep words\n")).stdout;
  const { code, stdout, stderr } = await say("/stats\nkeep words\n/clear\nkeep words\n/stats\n/tell\n/exit\nnumbers\n");
  expect(stdout).toBe(one + one);
  expect(stderr).toContain("nothing was said yet");
  expect(stderr).toContain("the conversation is forgotten");
  expect(stderr).toMatch(/\d+ tokens read at [\d.,]+\/s, 5 written/);
  expect(stderr).toMatch(/\d+ of 160 tokens in the cache: .* of .*; weights .*; reference/);
  expect(stderr).toContain("there is no /tell");
  expect(code).toBe(0);
});

test("a conversation that is too long for the context says so and goes on", async () => {
  const { code, stdout, stderr } = await say(`${"words ".repeat(60)}\n/clear\nhi\n`, "--context", "40");
  expect(stderr).toMatch(/\d+ tokens.* 40.*; \/clear begins anew/);
  expect(stdout).toBe((await say("hi\n", "--context", "40")).stdout);
  expect(code).toBe(0);
});

test("a model without a chat template is for kedge run", async () => {
  const { code, stdout, stderr } = await kedge(["chat", SHIPPED, "--device", "reference"], { stdin: "hi\n" });
  expect(stderr).toMatch(/kedge: .*kedge-js-5m: has no chat template, .*kedge run\n$/);
  expect([code, stdout]).toEqual([1, ""]);
});

test("a policy bounds what the conversation keeps", async () => {
  const { code, stderr } = await say("keep words\nand numbers\n/stats\n", "--cache", "window:16");
  expect(stderr).toMatch(/tokens in the cache: /);
  expect(code).toBe(0);
});

test("an interrupt ends it with exit code 130", async () => {
  const interruption = new AbortController();
  const onOutput = () => interruption.abort(new Error("interrupted"));
  const args = ["chat", talkative, "--device", "reference", "--max-tokens", "150"];
  const { code, stdout, stderr } = await kedge(args, {
    stdin: "keep words\nand numbers\n",
    signal: interruption.signal,
    onOutput,
  });
  expect(code).toBe(130);
  expect(stdout.length).toBeGreaterThan(0);
  expect(stderr).not.toContain("kedge:");
});

const output = () => Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
/** The echo of what was typed ends in a line break; what comes after it is the answer. */
const answerIn = (text: string) => /keep words\r?\n(.*)/s.exec(text)?.[1] ?? "";

test("on a terminal it prompts, and Ctrl-C ends the answer but not the conversation", async () => {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const [stdout, stderr] = [output(), output()];
  let shown = "";
  let said = "";
  stdout.on("data", (chunk: Buffer) => {
    const before = shown;
    shown = stripVTControlCharacters(before + chunk.toString());
    if (shown.startsWith("> ") && !before.startsWith("> ")) stdin.write("keep words\n");
    if (answerIn(shown) !== "" && answerIn(before) === "") stdin.write("\u0003");
  });
  stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes("the answer ends here")) stdin.write("/exit\n");
  });
  const code = await main(["chat", talkative, "--device", "reference", "--max-tokens", "150"], {
    stdin,
    stdout,
    stderr,
    signal: new AbortController().signal,
    env: { NO_COLOR: "1" },
  });
  expect(said).toContain("/exit leaves");
  expect(said).toContain("the answer ends here");
  expect(code).toBe(0);
});
