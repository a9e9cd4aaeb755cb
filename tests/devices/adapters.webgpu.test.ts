import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { lavapipeManifest, softwareGpu, testAdapterName } from "../support/adapters.ts";
import { unpackedFolder } from "../../bench/software-gpu/unpacked.ts";

/** A shader that writes an expression of `own`, the lane's own value. */
const shader = (expression: string, prelude = ""): string => /* wgsl */ `${prelude}
  override COUNT: u32;
  @group(0) @binding(0) var<storage, read> x: array<f32>;
  @group(0) @binding(1) var<storage, read_write> y: array<f32>;
  @compute @workgroup_size(64)
  fn main(@builtin(global_invocation_id) id: vec3u) {
    let own = select(0.0, x[min(id.x, COUNT - 1)], id.x < COUNT);
    let value = ${expression};
    if (id.x < COUNT) { y[id.x] = value; }
  }`;

describe("software adapter", () => {
  let adapter: GPUAdapter;
  let device: GPUDevice;

  beforeAll(async () => {
    const found = await (await softwareGpu()).requestAdapter();
    if (found === null) throw new Error(`no adapter on ${testAdapterName()}`);
    adapter = found;
    const wanted = ["shader-f16", "subgroups", "timestamp-query"] as const;
    device = await adapter.requestDevice({ requiredFeatures: wanted.filter((name) => adapter.features.has(name)) });
  });
  beforeEach(() => device.pushErrorScope("validation"));
  afterEach(async () => expect((await device.popErrorScope())?.message).toBeUndefined());
  afterAll(() => device.destroy());

  /** Runs a shader over `input` and returns as many values; slack beyond them must stay as it was. */
  async function run(code: string, input: Float32Array<ArrayBuffer>): Promise<Float32Array> {
    const slack = 16;
    const x = device.createBuffer({ size: input.byteLength, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const y = device.createBuffer({ size: input.byteLength + slack * 4, usage });
    const readback = device.createBuffer({ size: y.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(x, 0, input);
    device.queue.writeBuffer(y, 0, new Float32Array(input.length + slack).fill(-77));
    const pipeline = await device.createComputePipelineAsync({
      layout: "auto",
      compute: { module: device.createShaderModule({ code }), constants: { COUNT: input.length } },
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    const entries = [x, y].map((buffer, binding) => ({ binding, resource: { buffer } }));
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(Math.ceil(input.length / 64));
    pass.end();
    encoder.copyBufferToBuffer(y, 0, readback, 0, y.size);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(GPUMapMode.READ);
    const all = new Float32Array(readback.getMappedRange().slice(0));
    for (const buffer of [x, y, readback]) buffer.destroy();
    expect([...all.subarray(input.length)]).toEqual(Array<number>(slack).fill(-77));
    return all.subarray(0, input.length);
  }

  it("is the driver that was asked for", () => {
    const { info, limits } = adapter;
    const shown = ["shader-f16", "subgroups", "timestamp-query"].map((name) => `${name} ${adapter.features.has(name)}`);
    console.log(
      `${testAdapterName()}: ${info.vendor} ${info.architecture} "${info.description}", ${shown.join(", ")}, subgroups of ` +
        `${info.subgroupMinSize}-${info.subgroupMaxSize}, bindings of ${limits.maxStorageBufferBindingSize} bytes, ` +
        `${limits.maxStorageBuffersPerShaderStage} storage buffers, workgroups of ${limits.maxComputeInvocationsPerWorkgroup} ` +
        `with ${limits.maxComputeWorkgroupStorageSize} bytes`,
    );
    const expected = {
      swiftshader: { architecture: "swiftshader", f16: false, subgroup: 4 },
      lavapipe: { architecture: expect.stringContaining("llvmpipe"), f16: true, subgroup: 8 },
    }[testAdapterName()];
    expect({
      architecture: testAdapterName() === "swiftshader" ? info.architecture : `${info.architecture}${info.description}`,
      f16: adapter.features.has("shader-f16"),
      subgroup: info.subgroupMaxSize,
    }).toEqual(expected);
    expect(adapter.features.has("subgroups")).toBe(true);
  });

  it("runs a compute shader and reads the result back", async () => {
    const input = Float32Array.from({ length: 1001 }, (_, i) => i / 8 - 3);
    expect([...(await run(shader("2.0 * own + 1.0"), input))]).toEqual([...input].map((value) => 2 * value + 1));
  });

  it("adds up within a subgroup", async () => {
    const width = adapter.info.subgroupMaxSize ?? 0;
    const input = Float32Array.from({ length: 128 }, (_, i) => i);
    const got = await run(shader("subgroupAdd(own)", "enable subgroups;"), input);
    expect(got[0]).toBe((width * (width - 1)) / 2);
    expect(got[127]).toBe(input.slice(128 - width).reduce((sum, value) => sum + value, 0));
  });
});

describe("softwareGpu", () => {
  it("gives the same object to every caller", async () => {
    expect(await softwareGpu()).toBe(await softwareGpu());
  });

  it("refuses an adapter it does not know", () => {
    const before = process.env["KEDGE_TEST_ADAPTER"];
    process.env["KEDGE_TEST_ADAPTER"] = "voodoo";
    expect(() => testAdapterName()).toThrow('KEDGE_TEST_ADAPTER is "voodoo"');
    if (before === undefined) delete process.env["KEDGE_TEST_ADAPTER"];
    else process.env["KEDGE_TEST_ADAPTER"] = before;
  });

  it("looks for lavapipe's manifest where drivers are installed", () => {
    expect(lavapipeManifest() ?? "lvp_icd.json").toMatch(/lvp_icd(\.x86_64)?\.json$/);
  });
});

describe("unpackedFolder", () => {
  it("lets workers unpack the same archive at the same time, and leaves nothing half done", async () => {
    const name = `fonts-trial-${process.pid}`;
    const folders = await Promise.all([1, 2, 3].map(() => unpackedFolder(name, ["fonts"])));
    const folder = folders[0] ?? "";
    expect(new Set(folders).size).toBe(1);
    expect(readdirSync(folder)).toContain("fonts.conf");
    expect(readdirSync(join(folder, "..")).filter((entry) => entry.startsWith(`.${name}`))).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});
