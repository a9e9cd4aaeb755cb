// The known-answer tests of the wasm device: what they find, and that they give back what they take.

import { afterEach, describe, expect, it, vi } from "vitest";
import { rmsNorm, type Implementation, type Kernel } from "../../../kernels/index.ts";
import { seededRandom } from "../../../kernels/trial.ts";
import { errorOf } from "../../../tests/support/device-checks.ts";
import { DeviceError, type Device, type Tensor } from "../device.ts";
import { ProgramBuilder, type Program } from "../program.ts";
import { openWasm } from "./wasm-device.ts";
import type { WasmOptions } from "./wasm-options.ts";

afterEach(() => vi.restoreAllMocks());

const openAnother = (options: WasmOptions = {}): Promise<Device> => openWasm({ threads: 2, ...options });

function normOf(one: Device): Program {
  const random = seededRandom(1);
  const x = one.createTensor("x", "f32", 64, "activations");
  one.write({ tensor: x, data: Float32Array.from({ length: 64 }, () => random.normal()) });
  const y = one.createTensor("y", "f32", 64, "activations");
  const builder = new ProgramBuilder("norm");
  const params = { rows: 1, dim: 64, epsilon: 1e-5, weightOffset: 0 };
  builder.call(rmsNorm, "blocks.0.norm", { x, weight: x, residual: undefined, y }, params);
  return builder.build();
}

describe("known-answer tests", () => {
  /** layerNorm takes the same words as rmsNorm, and computes something else. */
  const wrong: Implementation = { name: "rms-norm.wrong", wasm: "layerNorm", requires: [] };
  it("demote an implementation that is wrong here, say so once, and the next one is taken", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const one = await openAnother({ implementations: (kernel: Kernel) => [wrong, ...kernel.implementations] });
    expect((await one.prepare(normOf(one))).chosen).toEqual([["rms-norm"]]);
    expect((await one.prepare(normOf(one))).chosen).toEqual([["rms-norm"]]);
    expect(one.demotions.map(({ implementation }) => implementation)).toEqual(["rms-norm.wrong"]);
    expect(one.demotions[0]!.reason).toMatch(/^y\[\d+\] of its known-answer test is .+, not .+/);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toContain("rms-norm.wrong");
    await one.dispose();
  });

  it("leave nothing to take where all are wrong, or missing", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const missing: Implementation = { name: "rms-norm.missing", wasm: "noSuchKernel", requires: [] };
    const one = await openAnother({ implementations: () => [wrong, missing] });
    const error = await errorOf(one.prepare(normOf(one)));
    expect(error.kind).toBe("unfit");
    expect(error.message).toContain(
      "blocks.0.norm: no implementation of rms-norm fits here; rms-norm.wrong is not used",
    );
    expect(error.message).toContain("the module has no function noSuchKernel");
    await one.dispose();
  });

  it("are made again after they found no room", async () => {
    const one = await openAnother({ threads: 1, maxMemoryBytes: 24 << 20 });
    const program = normOf(one);
    const held: Tensor[] = [];
    for (const length of [1 << 20, 1 << 16, 1 << 10, 16, 1]) {
      try {
        for (;;) held.push(one.createTensor("filling", "f32", length, "activations"));
      } catch (error) {
        expect((error as DeviceError).kind).toBe("out-of-memory");
      }
    }
    expect((await errorOf(one.prepare(program))).kind).toBe("out-of-memory");
    for (const tensor of held) one.destroy(tensor);
    expect((await one.prepare(program)).chosen).toEqual([["rms-norm"]]);
    expect(one.demotions).toEqual([]);
    await one.dispose();
  });

  it("give back all memory that they took", async () => {
    const one = await openAnother();
    const program = normOf(one);
    const before = one.memory();
    await one.prepare(program);
    expect(one.memory()).toEqual(before);
    expect(one.demotions).toEqual([]);
    await one.dispose();
  });
});
