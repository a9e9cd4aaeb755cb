// Many rows, for adapters that compute on the CPU, where every lane loads its numbers one by one and a long loop does not fit the
// instruction cache. A lane takes 4 lines and keeps ROWS rows (8, 16 or 32) of sums. Each lane loads a different row of x, and STEP
// lanes (4 or 8) broadcast them: the loop is short, and every number of x and of the weights is loaded once for all lanes. A workgroup
// is a subgroup; its lanes take neighboring outputs. inputs is a multiple of 4.

override WORKGROUP: u32;
override STEP: u32;
override ROWS: u32;

/// Where x begins of `row`, which this lane brings, and of the fourth behind it; of rows beyond the last the last one's.
fn begins(row: u32) -> vec2<u32> {
  return min(vec2<u32>(row, row + 4u), vec2<u32>(params.rows - 1u)) * (params.inputs / 4u);
}

/// Sums of four rows, [rows][lines], with what lanes 0..3 hold of x; w is [lines][columns].
fn add_low(own: vec4<f32>, w: mat4x4<f32>, sums: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    sums[0] + subgroupBroadcast(own, 0u) * w, sums[1] + subgroupBroadcast(own, 1u) * w,
    sums[2] + subgroupBroadcast(own, 2u) * w, sums[3] + subgroupBroadcast(own, 3u) * w);
}

/// The next four, with what lanes 4..7 hold.
fn add_high(own: vec4<f32>, w: mat4x4<f32>, sums: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    sums[0] + subgroupBroadcast(own, 4u) * w, sums[1] + subgroupBroadcast(own, 5u) * w,
    sums[2] + subgroupBroadcast(own, 6u) * w, sums[3] + subgroupBroadcast(own, 7u) * w);
}

/// Sums of eight rows.
struct Eight {
  low: mat4x4<f32>,
  high: mat4x4<f32>,
}

/// The sums of eight rows at four columns of x; the second row is brought only where STEP is 4.
fn add(at: vec2<u32>, w: mat4x4<f32>, sums: Eight) -> Eight {
  let own = x[at.x];
  if (STEP == 8u) { return Eight(add_low(own, w, sums.low), add_high(own, w, sums.high)); }
  return Eight(add_low(own, w, sums.low), add_low(x[at.y], w, sums.high));
}

fn finish_eight(row: u32, output: u32, sums: Eight) {
  var rows = array<mat4x4<f32>, 2>(sums.low, sums.high);
  for (var r = 0u; r < min(8u, params.rows - min(row, params.rows)); r++) {
    finish_row(row + r, output, WORKGROUP, rows[r / 4u][r % 4u]);
  }
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let row = workgroup_id.y * ROWS;
  let own = row + lane % STEP;
  let output = workgroup_id.x * WORKGROUP * QUAD + index;
  let from_a = begins(own);
  let from_b = begins(own + 8u);
  let from_c = begins(own + 16u);
  let from_d = begins(own + 24u);
  let w0 = line(0u, output, WORKGROUP);
  let w1 = line(1u, output, WORKGROUP);
  let w2 = line(2u, output, WORKGROUP);
  let w3 = line(3u, output, WORKGROUP);
  var a = Eight();
  var b = Eight();
  var c = Eight();
  var d = Eight();
  for (var k = 0u; k < params.inputs / 4u; k++) {
    let w = mat4x4<f32>(first4(w0, k), first4(w1, k), second4(w2, k), second4(w3, k));
    a = add(from_a + k, w, a);
    if (ROWS > 8u) { b = add(from_b + k, w, b); }
    if (ROWS > 16u) {
      c = add(from_c + k, w, c);
      d = add(from_d + k, w, d);
    }
  }
  finish_eight(row, output, a);
  if (ROWS > 8u) { finish_eight(row + 8u, output, b); }
  if (ROWS > 16u) {
    finish_eight(row + 16u, output, c);
    finish_eight(row + 24u, output, d);
  }
}
