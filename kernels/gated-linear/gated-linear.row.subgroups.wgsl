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
@group(0) @binding(1) var<storage, read> gate: array<Packed4>;   // [outputs, row_stride(inputs)]
@group(0) @binding(2) var<storage, read> up: array<Packed4>;     // [outputs, row_stride(inputs)]
@group(0) @binding(3) var<storage, read> gate_bias: array<f32>;  // [output_stride]
@group(0) @binding(4) var<storage, read> up_bias: array<f32>;    // [output_stride]
@group(0) @binding(5) var<storage, read_write> y: array<f32>;    // [rows, output_stride]
@group(0) @binding(6) var<uniform> params: Params;

/// Weights 4k.. of the row of `gate` that begins at `row`.
fn gate4(row: u32, k: u32) -> vec4<f32> {
  return unpack4(gate[codes_at(row, k)], gate[scale_at(row, k)], k);
}

/// Weights 4k.. of the row of `up` that begins at `row`.
fn up4(row: u32, k: u32) -> vec4<f32> {
  return unpack4(up[codes_at(row, k)], up[scale_at(row, k)], k);
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let groups = params.inputs / 4u;
  let stride = row_stride(params.inputs);
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
        gate4(w0, k), gate4(w1, k), gate4(w2, k), gate4(w3, k));
      ups += inputs * mat4x4<f32>(
        up4(w0, k), up4(w1, k), up4(w2, k), up4(w3, k));
    }
    gates = subgroupAdd(gates);
    ups = subgroupAdd(ups);
    if (lane == 0u) {
      for (var i = 0u; i < min(4u, end - output); i++) { store(0u, output + i, gates[i], ups[i]); }
    }
  }
}
