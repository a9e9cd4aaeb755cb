// A rival of `linear` on WebGPU: one lane computes one output, in eight lines. Time it beside kedge's own:
//
//   npm run bench kernels -- --device webgpu --kernel linear --format f32 --shapes square --rival bench/rivals/one-lane-linear.ts

import type { WgslImplementation } from "kedge/kernels";

// The conventions: buffers in the order of the kernel, then Params. Rows of the matrix are padded to 32 columns.
const wgsl = /* wgsl */ `
struct Params {
  rows: u32, inputs: u32, outputs: u32, outputBegin: u32, outputStride: u32, activation: u32, softcap: f32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let output = group.x * 64 + lane;
  if (output >= params.outputs) { return; }
  let line = output * ((params.inputs + 31) / 32 * 32);
  var sum = 0.0;
  for (var i = 0u; i < params.inputs; i++) { sum += x[group.y * params.inputs + i] * bitcast<f32>(weight[line + i]); }
  y[group.y * params.outputStride + params.outputBegin + output] = sum;
}`;

const implementation: WgslImplementation = {
  name: "linear.one-lane",
  wgsl,
  requires: [],
  formats: ["f32"],
  // no epilogues: calls that ask for one are left to others
  fits: ({ present, params }) =>
    !present.has("bias") && !present.has("residual") && params["activation"] === 0 && params["softcap"] === 0,
  workgroups: ({ params }) => [Math.ceil(params["outputs"]! / 64), params["rows"]!],
};

export default { kernel: "linear", implementation };
