import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { compareResults, kept, save } from "./baseline.ts";
import { compareFiles } from "./comparison.ts";
import { csvOf } from "./csv.ts";
import { markdownOf } from "./markdown.ts";
import { globMatcher, readOptions } from "./options.ts";
import {
  groupsOf,
  isTooFast,
  isWithinNoise,
  ratesOf,
  readResults,
  sideBySide,
  type KernelResults,
  type KernelRow,
} from "./results.ts";

const device = { id: "wasm:2", description: "wasm, 2 threads", peak: { flopsPerSecond: 100e9, bytesPerSecond: 20e9 } };

/** A row whose samples are these, in milliseconds. */
function row(implementation: string, samples: readonly number[], more: Partial<KernelRow> = {}): KernelRow {
  const sorted = samples.map((sample) => sample / 1000).sort((a, b) => a - b);
  const [least, median, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!];
  const call = { kernel: "linear", list: "square", label: "one row", size: "1x1024x1024", format: "f32" };
  const work = { flops: 2e6, bytes: 4e6, isStreamed: true, isRival: false };
  const timed = { clock: "wall" as const, callsPerRun: 9, seconds: { least, median, most }, samples: sorted };
  return {
    device: "wasm:2",
    implementation,
    ...call,
    ...work,
    ...timed,
    largestError: 1e-5,
    errorOfBound: 0.25,
    ...more,
  };
}

/** A row without a time. */
function wrongRow(implementation: string): KernelRow {
  const {
    seconds: _seconds,
    samples: _samples,
    clock: _clock,
    callsPerRun: _calls,
    ...rest
  } = row(implementation, [1]);
  return { ...rest, isRival: true, largestError: 3, errorOfBound: 1e6, failure: "y[3] is 7, not 4" };
}

function results(rows: readonly KernelRow[], date = "2026-01-02T03:04:05Z"): KernelResults {
  const machine = { name: "A processor", cores: 2, host: "Node v20" };
  return { kedge: "0.1.0", date, machine, devices: [device], rounds: 3, rows };
}

describe("devices side by side", () => {
  it("are compared by their fastest, as times of the first that has a time", () => {
    const { seconds: _seconds, ...untimed } = row("none", [1], {
      device: "webgl",
      cannot: "no implementation takes int8",
    });
    const rows = [
      row("slow", [4], { device: "wasm" }),
      row("fast", [2], { device: "wasm" }),
      row("gpu", [0.5], { device: "webgpu" }),
      untimed,
      row("other", [1], { device: "webgpu", size: "2x2x2" }),
    ];
    const [first, second] = sideBySide(rows, [{ id: "wasm" }, { id: "webgpu" }, { id: "webgl" }]);
    expect(first!.best.map((best) => [best.row?.implementation, best.ratio])).toEqual([
      ["fast", 1],
      ["gpu", 4],
      ["none", undefined],
    ]);
    expect(second!.best.map((best) => [best.row?.implementation, best.ratio])).toEqual([
      [undefined, undefined],
      ["other", 1],
      [undefined, undefined],
    ]);
  });
});

describe("rates", () => {
  it("are told as shares of what the device can do, by what is nearer", () => {
    // 4 MB at 20 GB/s take 0.2 ms; 2 Mflop at 100 GFLOP/s take 0.02 ms
    const rates = ratesOf(row("a", [0.4, 0.3, 0.6]), device)!;
    expect(rates.shareOfPeak).toBeCloseTo(0.5, 12);
    expect(rates.limit).toBe("memory");
    expect(rates.flopsPerSecond).toBeCloseTo(5e9, 0);
    expect(rates.spread).toBeCloseTo(0.375, 12);
    expect(ratesOf(row("a", [0.4], { bytes: 4 }), device)!.limit).toBe("compute");
    expect(ratesOf(wrongRow("b"), device)).toBeUndefined();
  });

  it("put the fastest first, and those without a time last", () => {
    const [group] = groupsOf([wrongRow("wrong"), row("slow", [3]), row("fast", [1])]);
    expect(group!.map(({ implementation }) => implementation)).toEqual(["fast", "slow", "wrong"]);
  });
});

describe("what the samples do not show", () => {
  it("is too fast to time, which is not wrong", () => {
    const fast = row("a", [0, 0, 1e-7], { resolution: 1e-8 });
    expect([isTooFast(fast), isTooFast(row("a", [1], { resolution: 1e-8 }))]).toEqual([true, false]);
    expect(ratesOf(fast, device)).toBeUndefined();
    const text = markdownOf(results([fast]));
    expect(text).toContain("| a | too fast to time: under 10.0 ns |");
    expect(text).not.toContain("wrong");
  });

  it("is an order within the spread of the samples, or one row that is unsteady", () => {
    const group = [row("a", [1, 0.9, 1.1]), row("b", [1.15, 1.1, 1.2]), row("c", [2, 1.9, 2.1]), wrongRow("d")];
    expect(group.map((one) => isWithinNoise(one, group))).toEqual([true, true, false, false]);
    const [steady, unsteady] = [row("a", [1, 0.9, 1.1]), row("a", [1, 0.6, 1.4])];
    expect([isWithinNoise(steady, [steady]), isWithinNoise(unsteady, [unsteady])]).toEqual([false, true]);
  });
});

describe("comma-separated values", () => {
  it("have a line for each row, with numbers as they are", () => {
    const [head, one, two, end] = csvOf(results([row("a", [1]), { ...wrongRow("b"), label: 'q, k and "v"' }])).split(
      "\r\n",
    );
    const names = head!.split(",");
    const values = Object.fromEntries(one!.split(",").map((cell, i) => [names[i], cell]));
    expect(values).toMatchObject({ implementation: "a", median_seconds: "0.001", state: "timed" });
    expect(two).toContain('"q, k and ""v"""');
    expect(two).toContain('"wrong: y[3] is 7, not 4"');
    expect(end).toBe("");
  });
});

describe("two files of results", () => {
  it("are set side by side, the largest change first, and one that is worse is told", () => {
    const before = results([row("a", [1]), row("b", [1, 0.9, 1.1]), row("c", [2])]);
    const after = { ...results([row("a", [1.5]), row("b", [1.05, 1, 1.1]), row("c", [0.5])]), commit: "abc" };
    const { text, isWorse } = compareFiles(before, after);
    expect(isWorse).toBe(true);
    expect(text).toContain("B: kedge 0.1.0 (abc)");
    expect(text.split("\n").filter((line) => line.startsWith("| wasm:2"))).toEqual([
      "| wasm:2: c f32, one row 1x1024x1024 | 2.00 ms | 500 µs | 0.25 |",
      "| wasm:2: a f32, one row 1x1024x1024 | 1.00 ms | 1.50 ms | 1.50 |",
      "| wasm:2: b f32, one row 1x1024x1024 | 1.00 ms | 1.05 ms | 1.05 ≈ |",
    ]);
    expect(text).toMatch(
      /a f32, .* takes 1.50 ms, 1.50 times the 1.00 ms before; 10 % is noise\n3 compared, 1 are worse$/,
    );
    expect(compareFiles(before, before).isWorse).toBe(false);
  });

  it("may be of different machines, which is said, and are refused if they are something else", () => {
    const other = { ...results([row("a", [1])]), machine: { name: "Another", cores: 8, host: "Node v20" } };
    expect(compareFiles(results([row("a", [1])]), other).text).toContain("The machines differ");
    expect(() => readResults("a.json", "{}")).toThrow("a.json: this is no result of the kernel bench");
    expect(() => readResults("a.json", "no")).toThrow("a.json: this is no result of the kernel bench");
  });
});

describe("the table", () => {
  const text = markdownOf(results([wrongRow("mine"), row("linear.few-rows.f32", [0.4, 0.3, 0.6])]));

  it("says the machine, the peaks, the clock, and every row", () => {
    expect(text).toContain("A processor, 2 cores; Node v20. 3 samples");
    expect(text).toContain("At most 100 GFLOP/s and 20.0 GB/s, measured. Clock: wall time around a read-back.");
    expect(text).toContain(
      "| linear, one row 1x1024x1024, cold | f32 | linear.few-rows.f32 | ≈ 400 µs | 37 % | wall | 5.00 | 10.0 | 50 % memory | 1.0e-5 (25 % of bound) |",
    );
  });

  it("says that a wrong rival is wrong, with its error, and ranks it behind", () => {
    const lines = text.split("\n").filter((line) => line.includes("f32"));
    expect(lines[1]).toContain("mine (rival) | **wrong**: y[3] is 7, not 4 |");
    expect(lines[1]).toContain("3.0e+0");
  });
});

describe("a comparison with what was kept", () => {
  const before = results([row("a", [1, 1.02, 0.98]), row("b", [1, 1.3, 0.5]), row("c", [1])]);

  it("flags what is slower than the noise of both", () => {
    const now = [row("a", [1.3, 1.32, 1.28]), row("b", [1.35, 1.4, 1.32]), row("c", [1.05])];
    const { compared, regressions, lost } = compareResults(results(now, "2026-02-02"), [before])!;
    expect([compared, lost.length]).toEqual([3, 0]);
    expect(regressions.map(({ row: { implementation } }) => implementation)).toEqual(["a"]);
    expect(regressions[0]!.ratio).toBeCloseTo(1.3, 6);
  });

  it("misses nothing that has no time any more, and no rival", () => {
    const now = [{ ...wrongRow("a"), isRival: false }, wrongRow("b")];
    const { compared, lost } = compareResults(results(now), [before])!;
    expect([compared, lost.map(({ implementation }) => implementation)]).toEqual([1, ["a"]]);
  });

  it("takes the newest, and none of another kind of machine", () => {
    const newer = results([row("a", [1.3])], "2026-01-30");
    expect(compareResults(results([row("a", [1.31])]), [newer, before])!.regressions).toEqual([]);
    const other = { ...before, machine: { ...before.machine, cores: 4 } };
    expect(compareResults(results([row("a", [9])]), [other])).toBeNull();
    const otherDevice = { ...before, devices: [{ ...device, description: "wasm, 1 thread" }] };
    expect(compareResults(results([row("a", [9])]), [otherDevice])).toBeNull();
  });
});

describe("a folder of results", () => {
  const folder = mkdtempSync(join(tmpdir(), "kedge-kernels-"));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("keeps them by machine, device, version and day", () => {
    const [old, young] = [results([row("a", [1])]), results([row("a", [2])], "2026-03-04T00:00:00Z")];
    save(folder, young);
    save(folder, old);
    expect(readdirSync(folder).sort()).toEqual([
      "kernels_a-processor_wasm-2_0.1.0_2026-01-02.json",
      "kernels_a-processor_wasm-2_0.1.0_2026-03-04.json",
    ]);
    expect(kept(folder)).toEqual([young, old]);
    save(folder, results([row("b", [3])]));
    save(folder, results([row("b", [4])]));
    expect(kept(folder)[1]!.rows).toEqual([row("a", [1]), row("b", [4])]);
    expect(kept(join(folder, "nowhere"))).toEqual([]);
  });
});

/** Sizes of the products that a command line asks for. */
const productsOf = (...args: readonly string[]) =>
  readOptions(args)!
    .cases.filter(({ kernel }) => kernel.name === "linear")
    .map(({ size }) => size);

describe("the command line", () => {
  it("filters by name, globs too", () => {
    const matches = globMatcher("linear.*.f32");
    expect([matches("linear.tiles.f32"), matches("linear.f32"), matches("gated-linear.tiles.f32")]).toEqual([
      true,
      false,
      false,
    ]);
    const options = readOptions(["*subgroups*", "--format", "int8,int4", "--device", "wasm:1,webgpu"])!;
    expect(options.isWanted("attend.subgroups")).toBe(true);
    expect(options.isWanted("attend")).toBe(false);
    expect(options.formats).toEqual(["int8", "int4"]);
    expect(options.devices).toEqual([
      { id: "wasm:1", name: "wasm", threads: 1 },
      { id: "webgpu", name: "webgpu" },
    ]);
  });

  it("takes shapes of one's own, and sweeps of their sizes", () => {
    expect(productsOf("--shape", "1x2x3", "--set", "rows=1,4")).toEqual(["1x2x3", "4x2x3"]);
    expect(productsOf("--set", "hidden=10,20").filter((size) => size.includes("x576"))).toEqual([
      "1x576x960",
      "1x576x576",
      "1x10x576",
      "1x576x49152",
      "1x20x576",
    ]);
    expect(readOptions(["--set", "WORKGROUP=32"])!.sweeps).toEqual([{ name: "WORKGROUP", values: [32] }]);
  });

  it.each([
    [["--kernel", "lineal"], /there is no "lineal", use .*linear/],
    [["--device", "cuda"], /no device "cuda"/],
    [["--device", "webgpu:2"], /no device "webgpu:2"/],
    [["--rounds", "0"], /at least 1/],
    [["--shapes", "round"], /use smollm2-decode/],
    [["a", "b"], /one GLOB/],
    [["--shape", "3x"], /use ROWSxINPUTSxOUTPUTS/],
    [["--set", "LANES"], /--set is "LANES"/],
    [["--adapter", "fast"], /there is no "fast", use software/],
  ])("refuses %j", (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });
});
