// Which way of reading weights is taken: by a clock of the test's own, and never without weights enough to tell.

import { describe, expect, it } from "vitest";
import { ACTIVATIONS, gatedLinear, linear, type WasmImplementation } from "../../../kernels/index.ts";
import { fittingFor, PLAIN_TRAITS } from "../choose.ts";
import type { Matrix, Tensor } from "../device.ts";
import { ProgramBuilder, variable } from "../program.ts";
import { isSecondWorth, prefetchRank, streamOf } from "./prefetch.ts";

const tensor = (label: string, length: number): Tensor => ({ label, type: "f32", length, role: "activations" });
const createTensor = (label: string, _type: "f32", length: number): Tensor => tensor(label, length);
const matrix = (rows: number, columns: number, format: Matrix["format"], byteLength: number): Matrix => {
  return { label: "weights", rows, columns, format, byteLength };
};

/** A program of one linear and one gated linear, whose matrices take so many bytes together. */
function programOf(format: Matrix["format"], bytes: number) {
  const builder = new ProgramBuilder("step");
  const [x, y] = [tensor("x", 64), tensor("y", 64)];
  const rows = variable("rows");
  const shape = { rows, inputs: 32, outputs: 48, outputBegin: 0, outputStride: 48, activation: ACTIVATIONS.silu };
  const weight = matrix(48, 32, format, bytes / 3);
  builder.call(linear, "one", { x, weight, bias: x, residual: x, y }, { ...shape, softcap: 0 });
  builder.call(gatedLinear, "two", { x, gate: weight, up: weight, gateBias: undefined, upBias: undefined, y }, shape);
  return builder.build();
}

/** Whether the second way is taken where the two take so long. */
function choose(first: number, second: number): Promise<boolean> {
  let clock = 0;
  const taking = (time: number) => () => Promise.resolve((clock += time));
  return isSecondWorth([taking(first), taking(second)], () => clock);
}

describe("prefetching weights", () => {
  it("is timed on one row of the quantized matrices, and tensors of its own", () => {
    const { program, tensors } = streamOf(programOf("int4", 30 * 2 ** 20), createTensor)!;
    expect(program.calls.map(({ params }) => params["rows"])).toEqual([1, 1]);
    expect(tensors.map(({ length }) => length).sort()).toEqual([32, 48]);
    for (const { buffers } of program.calls) {
      const used = Object.values(buffers).filter((buffer) => buffer !== undefined && !("format" in buffer));
      expect(tensors).toEqual(expect.arrayContaining(used));
    }
    expect(program.calls[0]!.buffers["residual"]).toBeUndefined();
  });

  it("is not timed where weights are few or not quantized", () => {
    expect(streamOf(programOf("int4", 2 ** 20), createTensor)).toBeUndefined();
    expect(streamOf(programOf("bf16", 30 * 2 ** 20), createTensor)).toBeUndefined();
  });

  it("is taken where it is clearly faster", async () => {
    expect(await choose(10, 9)).toBe(true);
    expect(await choose(10, 9.8)).toBe(false);
    expect(await choose(10, 20)).toBe(false);
  });

  it("puts its implementations first or last", () => {
    const [call] = programOf("int8", 3).calls;
    const fitting = fittingFor(call!, linear.implementations as readonly WasmImplementation[], {
      traits: PLAIN_TRAITS,
      isDeterministic: false,
    });
    const namesOf = (isPrefetching: boolean) => {
      const rank = prefetchRank(!isPrefetching);
      return [...fitting].sort((a, b) => rank(a) - rank(b)).map(({ name }) => name);
    };
    expect(namesOf(true)[0]).toBe("linear.few-rows.prefetch.int8");
    expect(namesOf(false)[0]).toBe("linear.few-rows.int8");
  });
});
