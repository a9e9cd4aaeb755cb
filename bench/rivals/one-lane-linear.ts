// A rival of `linear` on WebGPU: one lane computes one output, in eight lines. Time it together with kedge's own:
//
//   npm run bench kernels -- --device webgpu --kernel linear --format f32 --shapes square --rival bench/rivals/one-lane-linear.ts

import type { WgslImplementation } from "kedge/kernels";

// Buffers and `params` are declared from the definition of linear. Rows of the matrix are padded to 32 columns.
const wgsl = /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let output = group.x * 64 + lane;
  if (output >= params.outputs) { return; }
  let line = output * ((params.inputs + 31) / 32 * 32);
  var sum = 0.0;
  for (var i = 0u; i < params.inputs; i++) { sum += x[group.y * params.inputs + i] * bitcast<f32>(weight[line + i]); }
  y[group.y * params.output_stride + params.output_begin + output] = sum;
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
