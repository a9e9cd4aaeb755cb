// What the command line says about input that is wrong: one sentence on stderr, nothing on stdout, exit code 1 or 2.

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSafetensors } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kedge, spawned, type Outcome } from "../support/command.ts";
import { TINY, tinyFiles } from "../support/tiny-model.ts";

const SHIPPED = "models/kedge-js-5m";
const folder = mkdtempSync(join(tmpdir(), "kedge-cli-"));
const at = (name: string) => join(folder, name);

/** A tiny model with the shipped tokenizer; `changes` go into its config.json, `files` replace or (null) remove files. */
async function makeModel(
  name: string,
  changes: Readonly<Record<string, unknown>> = {},
  files: Readonly<Record<string, string | Uint8Array | null>> = {},
): Promise<string> {
  mkdirSync(at(name));
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) cpSync(join(SHIPPED, file), join(at(name), file));
  for (const [file, blob] of tinyFiles({ vocab_size: 1024, ...changes })) {
    writeFileSync(join(at(name), file), new Uint8Array(await blob.arrayBuffer()));
  }
  for (const [file, content] of Object.entries(files)) {
    if (content === null) rmSync(join(at(name), file));
    else writeFileSync(join(at(name), file), content);
  }
  return at(name);
}

/** One sentence, with these parts, and this exit code. */
function expectFailure({ code, stdout, stderr }: Outcome, wantedCode: number, ...parts: readonly string[]): void {
  expect(stderr).toMatch(/^kedge: [^\n]+\n$/);
  expect(stderr).not.toContain("unexpected");
  expect(stderr).not.toMatch(/\bat .*:\d+:\d+/);
  for (const part of parts) expect(stderr).toContain(part);
  expect(stdout).toBe("");
  expect(code).toBe(wantedCode);
}

const onReference = ["--device", "reference", "--max-tokens", "1", "--quiet"];
const LFS = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 269060552\n`;

beforeAll(async () => {
  const small = await makeModel("tiny");
  const weights = tinyFiles({ vocab_size: 1024 }).get("model.safetensors")!;
  const bytes = new Uint8Array(await weights.arrayBuffer());
  await makeModel("lfs", {}, { "model.safetensors": LFS });
  await makeModel("html", {}, { "model.safetensors": "<!DOCTYPE html><html><body>Sign in</body></html>" });
  await makeModel("truncated", {}, { "model.safetensors": bytes.subarray(0, bytes.length - 100) });
  const index = JSON.stringify({ weight_map: { "model.norm.weight": "model-00001-of-00002.safetensors" } });
  await makeModel("shardless", {}, { "model.safetensors": null, "model.safetensors.index.json": index });
  await makeModel("misshapen", { hidden_size: TINY.hidden_size });
  cpSync(join(small, "model.safetensors"), join(at("misshapen"), "model.safetensors"));
  const config = { ...TINY, vocab_size: 1024, intermediate_size: TINY.intermediate_size + 8 };
  writeFileSync(join(at("misshapen"), "config.json"), JSON.stringify(config));
  await makeModel("foreign", {}, { "config.json": JSON.stringify({ ...TINY, model_type: "mamba" }) });
  await makeModel("speechless", {}, { "tokenizer.json": null, "tokenizer_config.json": null });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the tiny model these cases are made from works", async () => {
  const { code, stdout, stderr } = await kedge(["run", at("tiny"), "function", ...onReference]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.length).toBeGreaterThan(0);
});

describe("a model that is wrong", () => {
  test.each([
    ["a missing folder", "./none/such/folder", ["no such folder"]],
    ["a file for a folder", `${SHIPPED}/config.json`, ["is a file", "folder"]],
    ["a Git LFS pointer", "lfs", ["Git LFS pointer", "git lfs pull"]],
    ["an HTML page", "html", ["HTML page"]],
    ["a missing shard", "shardless", ["model-00001-of-00002.safetensors"]],
    ["a truncated download", "truncated", ["model.safetensors"]],
    ["a tensor of the wrong shape", "misshapen", ["[72,48]", "[80,48]"]],
    ["an unknown family", "foreign", ["mamba", "llama"]],
  ])("%s", async (_, name, parts) => {
    const path = name.includes("/") ? name : at(name);
    expectFailure(await kedge(["run", path, "function", ...onReference]), 1, ...parts);
  });

  test("no tokenizer, for text", async () => {
    expectFailure(await kedge(["run", at("speechless"), "function", ...onReference]), 1, "no tokenizer");
  });

  test("no chat template, for a chat", async () => {
    const outcome = await kedge(["chat", at("tiny"), "--device", "reference"], { stdin: "hello\n" });
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/kedge: [^\n]*chat template[^\n]*\n$/);
    expect(outcome.stdout).toBe("");
  });
});

describe("owner/name", () => {
  let server: Server;
  let before: string | undefined;
  beforeAll(async () => {
    server = createServer((_, response) => response.writeHead(404).end("Not Found"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    before = process.env["HF_ENDPOINT"];
    process.env["HF_ENDPOINT"] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    if (before === undefined) delete process.env["HF_ENDPOINT"];
    else process.env["HF_ENDPOINT"] = before;
    server.close();
  });

  test("that is neither a folder nor on the Hub", async () => {
    const outcome = await kedge(["run", "nobody/nothing", "function", ...onReference]);
    expectFailure(outcome, 1, "nobody/nothing", "no such folder", "no such repository");
  });
});

describe("wrong usage", () => {
  test.each([
    ["an unknown verb", ["fly"], ["fly"]],
    ["an unknown option", ["run", "tiny", "x", "--temprature", "1"], ["--temprature", "--temperature"]],
    ["a missing argument", ["run"], ["model"]],
    ["too many arguments", ["run", "tiny", "a", "b"], ["2", "3"]],
    ["an option without its value", ["run", "tiny", "x", "--seed"], ["--seed"]],
    ["an unknown device", ["run", "tiny", "x", "--device", "gpu"], ['"gpu"', "wasm"]],
    ["a word for a number", ["run", "tiny", "x", "--max-tokens", "many"], ["--max-tokens", '"many"', "whole number"]],
    ["a fraction of a token", ["run", "tiny", "x", "--max-tokens", "1.5"], ["--max-tokens", '"1.5"']],
    ["no tokens", ["run", "tiny", "x", "--max-tokens", "0"], ["--max-tokens", '"0"', "at least 1"]],
    ["a negative temperature", ["run", "tiny", "x", "--temperature=-1"], ["--temperature", '"-1"']],
    ["an infinite temperature", ["run", "tiny", "x", "--temperature", "Infinity"], ["--temperature", '"Infinity"']],
    ["a share above one", ["run", "tiny", "x", "--top-p", "1.01"], ["--top-p", '"1.01"']],
    ["no share", ["run", "tiny", "x", "--top-p", "0"], ["--top-p", '"0"']],
    ["an unknown cache type", ["run", "tiny", "x", "--cache-type", "q4"], ["--cache-type", '"q4"', "f32, f16 or int8"]],
    ["an empty stop text", ["run", "tiny", "x", "--stop", ""], ["--stop", "at least 1 character"]],
    ["a policy that does not exist", ["run", "tiny", "x", "--cache", "lru:5"], ['"lru:5"', "window:256"]],
    ["a policy without its number", ["run", "tiny", "x", "--cache", "window"], ["window:256"]],
    ["an empty prompt", ["run", "tiny", ""], ["prompt", "empty"]],
    ["two prompts", ["run", "tiny", "x", "--prompt-file", "y"], ["two prompts"]],
    ["threads of a device without any", ["run", "tiny", "x", "--device", "reference", "--threads", "2"], ["--threads"]],
    ["a context of no tokens", ["estimate", SHIPPED, "--context", "0"], ["--context", '"0"']],
    ["a context that the model lacks", ["estimate", SHIPPED, "--context", "2048"], ["2048", "1024"]],
    ["no rounds", ["bench", SHIPPED, "--rounds", "0"], ["--rounds", '"0"']],
  ])("%s", async (_, args, parts) => {
    const line = args.map((arg) => (arg === "tiny" ? at("tiny") : arg));
    expectFailure(await kedge(line), 2, ...parts);
  });

  test("no verb prints the help on stderr", async () => {
    const { code, stdout, stderr } = await kedge([]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("verify");
  });

  test("an empty prompt on stdin, for a model without an example", async () => {
    expectFailure(await kedge(["run", at("tiny"), ...onReference], { stdin: "" }), 2, "prompt", "empty");
  });

  test("no prompt on a terminal, for a model without an example", async () => {
    expectFailure(await kedge(["run", at("tiny"), ...onReference], { isTerminal: true }), 2, "no prompt");
  });
});

test("a prompt that is longer than the context", async () => {
  const prompt = "function ".repeat(200);
  expectFailure(await kedge(["run", at("tiny"), prompt, ...onReference]), 1, "context of 160", "tokens");
});

test("a prompt file that is not there", async () => {
  const outcome = await kedge(["run", at("tiny"), "--prompt-file", at("none.txt"), ...onReference]);
  expectFailure(outcome, 1, "none.txt", "no such file");
});

/** What verify says last: before that, which model it loaded. */
async function verifyFailure(...args: readonly string[]): Promise<Outcome> {
  const outcome = await kedge(["verify", at("tiny"), "--device", "reference", ...args]);
  return { ...outcome, stderr: outcome.stderr.replace(/^.* on reference: .*\n/, "") };
}

const tokens = (...ids: number[]) => {
  return { name: "input_ids", dtype: "I64" as const, shape: [1, ids.length], values: BigInt64Array.from(ids, BigInt) };
};
const zeros = (name: string, ...shape: number[]) => {
  const length = shape.reduce((product, size) => product * size, 1);
  return { name, dtype: "F32" as const, shape, values: new Float32Array(length) };
};

test.each([
  ["without input_ids", [zeros("logits", 1, 2, 1024)], ['no tensor "input_ids"']],
  ["with nothing to compare", [tokens(5, 6)], ["nothing to compare"]],
  ["of another vocabulary", [tokens(5, 6), zeros("logits", 1, 2, 999)], ["[1,2,999]", "[1,2,1024]"]],
  ["of a model with more layers", [tokens(5, 6), zeros("hidden.9", 1, 2, 48)], ['"hidden.9"', "hidden.3"]],
  ["whose input is outside the vocabulary", [tokens(5000, 6), zeros("logits", 1, 2, 1024)], ["5000", "1024"]],
  ["whose input is longer than the context", [tokens(...Array(161).fill(5)), zeros("logits.last", 1, 1024)], ["161"]],
])("a golden file %s", async (name, tensors, parts) => {
  const file = at(`golden ${name}.safetensors`);
  writeFileSync(file, writeSafetensors(tensors));
  expectFailure(await verifyFailure("--golden", file), 1, ...parts);
});

test("no golden file at all", async () => {
  expectFailure(await verifyFailure(), 1, "golden.safetensors", "--golden");
  expectFailure(await verifyFailure("--golden", at("none.safetensors")), 1, "none.safetensors");
});

test("no adapter for --device webgpu", async () => {
  const env = { VK_ICD_FILENAMES: at("no-driver.json"), VK_DRIVER_FILES: at("no-driver.json") };
  const outcome = await spawned(["run", SHIPPED, "x", "--device", "webgpu", "--quiet"], { env });
  // The Vulkan loader speaks to stderr by itself before we do.
  const ours = outcome.stderr.slice(outcome.stderr.lastIndexOf("kedge: "));
  expectFailure({ ...outcome, stderr: ours }, 1, "adapter", "wasm");
});

test("KEDGE_DEBUG=1 adds where an error came from", async () => {
  const { stderr } = await kedge(["run", at("lfs"), "x", ...onReference], { env: { KEDGE_DEBUG: "1" } });
  expect(stderr).toMatch(/^kedge: .*Git LFS pointer.*\n(.|\n)* at .*safetensors/);
});
