import { afterAll, describe, expect, it } from "vitest";
import { add, kernels, linear, rmsNorm, selectRows } from "../../../kernels/index.ts";
import { openWasm } from "./wasm-device.ts";
import { ProgramBuilder, variable } from "../program.ts";

const device = await openWasm({ threads: 2 });
afterAll(() => device.dispose());

describe("x", () => {
  it("y", async () => {
    console.log(device.description);
    const a = device.createTensor("a", "f32", 64, "activations");
    const y = device.createTensor("y", "f32", 64, "activations");
    const b = new ProgramBuilder("p");
    b.call(add, "add", { a, b: a, y }, { rows: variable("rows"), dim: 8 });
    const e = await device.prepare(b.build());
    device.write({ tensor: a, data: Float32Array.from({ length: 64 }, (_, i) => i) });
    const t = performance.now();
    for (let i = 0; i < 200; i++) await device.run(e, { variables: { rows: 1 + (i % 8) }, reads: [] });
    console.log((performance.now() - t) / 200, "ms per run");
    expect(await device.read({ tensor: y, begin: 0, end: 64 })).toEqual(
      Float32Array.from({ length: 64 }, (_, i) => 2 * i),
    );
    expect(e.chosen).toEqual([["add"]]);
    expect([add, kernels, linear, rmsNorm, selectRows].length).toBe(5);
  });
});
