// `kedge verify --against`: two devices that agree, and one with a kernel that is planted wrong: the walk names the tensor, the
// kernel and its implementation.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel, type Device } from "kedge";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareDevices } from "../../cli/against.ts";
import { ReferenceDevice } from "../../engine/devices/reference/reference-device.ts";
import type { Call, Program } from "../../engine/devices/program.ts";
import { kedge } from "../support/command.ts";
import { randomTokens, tinyFiles, tinyFolder } from "../support/tiny-model.ts";

const tokens = randomTokens(9);

/** A reference device on which one kernel's result is off by a little, wherever `isWrong` says so. */
function wrongDevice(kernel: string, isWrong: (label: string) => boolean = () => true): Device {
  const device = new ReferenceDevice();
  const spoiled = (call: Call): Call => {
    if (call.kernel.name !== kernel || !isWrong(call.label)) return call;
    const output = Object.entries(call.kernel.buffers).find(([, use]) => use.includes("write"))![0];
    const reference: Call["kernel"]["reference"] = (buffers, params) => {
      call.kernel.reference(buffers, params);
      const data = buffers[output] as Float64Array;
      for (let i = 3; i < Math.min(400, data.length); i += 7) data[i] = data[i]! * 1.5 + 0.25;
    };
    return { ...call, kernel: { ...call.kernel, reference } };
  };
  return new Proxy(device, {
    get(target, key) {
      if (key === "prepare") {
        return async (program: Program) => {
          const executable = await target.prepare({ ...program, calls: program.calls.map(spoiled) });
          return { ...executable, program: executable.program, dispose: () => executable.dispose() };
        };
      }
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

async function walk(device: Device) {
  const [model, oracle] = await Promise.all([
    loadModel(tinyFolder(), { device }),
    loadModel(tinyFolder(), { device: "reference" }),
  ]);
  try {
    return await compareDevices(model, oracle, tokens, { share: 1e-4 });
  } finally {
    await model.dispose();
    await oracle.dispose();
  }
}

describe("the walk", () => {
  test("finds nothing where devices agree", async () => {
    const { tensors, first } = await walk(new ReferenceDevice());
    expect(first).toBeUndefined();
    expect(tensors.map(({ name }) => name)).toEqual([
      "hook_embed",
      "blocks.0.hook_resid_post",
      "blocks.1.hook_resid_post",
      "blocks.2.hook_resid_post",
      "logits",
    ]);
  });

  test.each([
    ["gated-linear", "blocks.1.mlp", "blocks.1.mlp.hook_post"],
    ["attend", "blocks.2.attn", "blocks.2.attn.hook_z"],
    ["rotate-store", "blocks.0.attn", "blocks.0.attn.hook_attn_scores"],
    ["embed", "", "hook_embed"],
  ])("names %s, fused as it is when text is generated", async (kernel, place, name) => {
    const { first } = await walk(wrongDevice(kernel, (label) => label.startsWith(place)));
    expect([first!.name, first!.ok]).toEqual([name, false]);
    const suspect = first!.suspects.find((call) => call.kernel === kernel);
    expect(suspect).toMatchObject({ implementations: ["reference"] });
    expect(suspect!.label).toContain(place);
    expect(first!.suspects.length).toBeLessThan(3);
  });

  test("names the head's kernel by the logits", async () => {
    const { first } = await walk(wrongDevice("linear", (label) => label === "head"));
    expect(first!.name).toBe("logits");
  });
});

describe("the command", () => {
  const folder = mkdtempSync(join(tmpdir(), "kedge-against-"));
  beforeAll(async () => {
    for (const [name, blob] of tinyFiles()) writeFileSync(join(folder, name), new Uint8Array(await blob.arrayBuffer()));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("compares the device with the one that is named", async () => {
    const { code, stdout, stderr } = await kedge(["verify", folder, "--device", "wasm", "--against", "reference"]);
    expect(stderr).toContain("computes on wasm what it computes on reference: 16 tokens compared");
    expect(stdout).toMatch(/blocks\.2\.hook_resid_post .* ok/);
    expect(code).toBe(0);
  });

  test("prints JSON", async () => {
    const { code, stdout } = await kedge(["verify", folder, "--device", "wasm", "--against", "reference", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      device: "wasm",
      against: "reference",
      tokens: 16,
      ok: true,
      first: null,
    });
    expect(code).toBe(0);
  });

  test.each([
    [["--device", "wasm", "--against", "wasm"], "the model runs on wasm already"],
    [["--device", "wasm", "--against", "reference", "--golden", "x"], "--golden and --against were both given"],
    [["--device", "wasm", "--against", "reference", "--prompt", ""], "--prompt is empty"],
    [["--device", "wasm", "--prompt", "x"], "--prompt is the text for --against"],
    [["--against", "abacus"], "abacus"],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await kedge(["verify", folder, ...args]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});
