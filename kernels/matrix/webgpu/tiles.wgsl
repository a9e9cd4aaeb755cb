// Many rows: a lane keeps a tile of 4 rows x 8 lines in registers. All lanes of a workgroup have the same 4 rows, so that their loads
// have one address; neighboring lanes take neighboring outputs. x stays row-major: `weights * rows` is four dot products along k.
// inputs is a multiple of 4.

override WORKGROUP: u32;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup_id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_id.y * 4u;
  let output = workgroup_id.x * WORKGROUP * 2u * QUAD + lane;
  let groups = params.inputs / 4u;
  let last_row = params.rows - 1u;
  let x0 = row * groups;
  let x1 = min(row + 1u, last_row) * groups;
  let x2 = min(row + 2u, last_row) * groups;
  let x3 = min(row + 3u, last_row) * groups;
  let other = output + WORKGROUP * QUAD;
  let w0 = line(0u, output, WORKGROUP);
  let w1 = line(1u, output, WORKGROUP);
  let w2 = line(2u, output, WORKGROUP);
  let w3 = line(3u, output, WORKGROUP);
  let w4 = line(0u, other, WORKGROUP);
  let w5 = line(1u, other, WORKGROUP);
  let w6 = line(2u, other, WORKGROUP);
  let w7 = line(3u, other, WORKGROUP);

  var s0 = vec4<f32>();
  var s1 = vec4<f32>();
  var s2 = vec4<f32>();
  var s3 = vec4<f32>();
  var s4 = vec4<f32>();
  var s5 = vec4<f32>();
  var s6 = vec4<f32>();
  var s7 = vec4<f32>();
  for (var k = 0u; k < groups; k++) {
    let rows = mat4x4<f32>(x[x0 + k], x[x1 + k], x[x2 + k], x[x3 + k]);
    s0 += first4(w0, k) * rows;
    s1 += first4(w1, k) * rows;
    s2 += second4(w2, k) * rows;
    s3 += second4(w3, k) * rows;
    s4 += first4(w4, k) * rows;
    s5 += first4(w5, k) * rows;
    s6 += second4(w6, k) * rows;
    s7 += second4(w7, k) * rows;
  }
  finish(row, output, WORKGROUP, mat4x4<f32>(s0, s1, s2, s3));
  finish(row, other, WORKGROUP, mat4x4<f32>(s4, s5, s6, s7));
}
