// Gated linear for one row: a subgroup takes 4 outputs of both matrices, its lanes share out the inputs, four at a time, and
// add up at the end. Every weight is read once, neighbouring lanes read neighbouring weights. A workgroup has as many
// subgroups as the adapter makes of it; together they take OUTPUTS outputs. The epilogue stands in a prelude.
// Weights are unpacked by the prelude of their format; inputs is a multiple of 4.

override WORKGROUP: u32;
override OUTPUTS: u32;

struct Params {
  rows: u32,
  inputs: u32,
  outputs: u32,
  output_begin: u32,
  output_stride: u32,
  activation: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;    // [rows, inputs / 4]
@group(0) @binding(1) var<storage, read> gate: array<Packed4>;   // [outputs, padded inputs / 4]
@group(0) @binding(2) var<storage, read> up: array<Packed4>;     // [outputs, padded inputs / 4]
@group(0) @binding(3) var<storage, read> gate_bias: array<f32>;  // [output_stride]
@group(0) @binding(4) var<storage, read> up_bias: array<f32>;    // [output_stride]
@group(0) @binding(5) var<storage, read_write> y: array<f32>;    // [rows, output_stride]
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let groups = params.inputs / 4u;
  let stride = (params.inputs + 31u) / 32u * 8u;
  let last = params.outputs - 1u;
  let begin = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * OUTPUTS;
  let end = min(begin + OUTPUTS, params.outputs);
  for (var output = begin + index / lanes * 4u; output < end; output += WORKGROUP / lanes * 4u) {
    let w0 = output * stride;
    let w1 = min(output + 1u, last) * stride;
    let w2 = min(output + 2u, last) * stride;
    let w3 = min(output + 3u, last) * stride;
    var gates = vec4<f32>();
    var ups = vec4<f32>();
    for (var k = lane; k < groups; k += lanes) {
      let inputs = x[k];
      gates += inputs * mat4x4<f32>(
        unpack4(gate[w0 + k]), unpack4(gate[w1 + k]), unpack4(gate[w2 + k]), unpack4(gate[w3 + k]));
      ups += inputs * mat4x4<f32>(
        unpack4(up[w0 + k]), unpack4(up[w1 + k]), unpack4(up[w2 + k]), unpack4(up[w3 + k]));
    }
    gates = subgroupAdd(gates);
    ups = subgroupAdd(ups);
    if (lane == 0u) {
      for (var i = 0u; i < min(4u, end - output); i++) { store(0u, output + i, gates[i], ups[i]); }
    }
  }
}
