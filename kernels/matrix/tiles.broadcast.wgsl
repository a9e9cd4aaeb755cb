// Many rows, for adapters that gather number by number what their lanes load: a lane keeps 16 rows x 4 lines in registers.
// Of x each lane loads other columns, and STEP lanes (4 or 8) hand them round: 1 / STEP of the loads of x, and weights
// serve 16 rows. A workgroup is a subgroup; its lanes take neighboring outputs. inputs is a multiple of 32.

override WORKGROUP: u32;
override STEP: u32;

/// 16 rows, four by four: of four columns of x, [columns][rows]; or sums, [lines][rows].
struct Tile {
  a: mat4x4<f32>,
  b: mat4x4<f32>,
  c: mat4x4<f32>,
  d: mat4x4<f32>,
}

/// Columns 4k.. of four rows; of a row beyond the last the last row's.
fn inputs4(row: u32, k: u32) -> mat4x4<f32> {
  let groups = params.inputs / 4u;
  let at = min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(params.rows - 1u)) * groups + k;
  return transpose(mat4x4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]));
}

/// sums + rows · weights of one line.
fn add_line(rows: mat4x4<f32>, w: vec4<f32>, sums: vec4<f32>) -> vec4<f32> {
  return fma(rows[3], vec4<f32>(w.w), fma(rows[2], vec4<f32>(w.z),
    fma(rows[1], vec4<f32>(w.y), fma(rows[0], vec4<f32>(w.x), sums))));
}

fn add_rows(rows: mat4x4<f32>, w: mat4x4<f32>, sums: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    add_line(rows, w[0], sums[0]), add_line(rows, w[1], sums[1]),
    add_line(rows, w[2], sums[2]), add_line(rows, w[3], sums[3]));
}

/// sums + rows · weights at columns 4k..
fn add(rows: Tile, lines: vec4<u32>, k: u32, sums: Tile) -> Tile {
  let w = mat4x4<f32>(first4(lines.x, k), first4(lines.y, k), second4(lines.z, k), second4(lines.w, k));
  return Tile(
    add_rows(rows.a, w, sums.a), add_rows(rows.b, w, sums.b), add_rows(rows.c, w, sums.c), add_rows(rows.d, w, sums.d));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let row = workgroup_id.y * 16u;
  let output = workgroup_id.x * WORKGROUP * QUAD + index;
  let lines = vec4<u32>(
    line(0u, output, WORKGROUP), line(1u, output, WORKGROUP), line(2u, output, WORKGROUP), line(3u, output, WORKGROUP));
  let groups = params.inputs / 4u;
  let own = lane % STEP;
  var sums = Tile();
  for (var k = 0u; k < groups; k += STEP) {
    let t = Tile(inputs4(row, k + own), inputs4(row + 4u, k + own), inputs4(row + 8u, k + own), inputs4(row + 12u, k + own));
    sums = add(Tile(lane0(t.a), lane0(t.b), lane0(t.c), lane0(t.d)), lines, k, sums);
    sums = add(Tile(lane1(t.a), lane1(t.b), lane1(t.c), lane1(t.d)), lines, k + 1u, sums);
    sums = add(Tile(lane2(t.a), lane2(t.b), lane2(t.c), lane2(t.d)), lines, k + 2u, sums);
    sums = add(Tile(lane3(t.a), lane3(t.b), lane3(t.c), lane3(t.d)), lines, k + 3u, sums);
    if (STEP > 4u) {
      sums = add(Tile(lane4(t.a), lane4(t.b), lane4(t.c), lane4(t.d)), lines, k + 4u, sums);
      sums = add(Tile(lane5(t.a), lane5(t.b), lane5(t.c), lane5(t.d)), lines, k + 5u, sums);
      sums = add(Tile(lane6(t.a), lane6(t.b), lane6(t.c), lane6(t.d)), lines, k + 6u, sums);
      sums = add(Tile(lane7(t.a), lane7(t.b), lane7(t.c), lane7(t.d)), lines, k + 7u, sums);
    }
  }
  var blocks = array<mat4x4<f32>, 4>(sums.a, sums.b, sums.c, sums.d);
  for (var i = 0u; i < min(4u, (params.rows - row + 3u) / 4u); i++) {
    finish(row + i * 4u, output, WORKGROUP, blocks[i]);
  }
}

// What one lane holds, handed to all. A lane's number has to be a constant of the shader.

fn lane0(m: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    subgroupBroadcast(m[0], 0u), subgroupBroadcast(m[1], 0u), subgroupBroadcast(m[2], 0u), subgroupBroadcast(m[3], 0u));
}

fn lane1(m: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    subgroupBroadcast(m[0], 1u), subgroupBroadcast(m[1], 1u), subgroupBroadcast(m[2], 1u), subgroupBroadcast(m[3], 1u));
}

fn lane2(m: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    subgroupBroadcast(m[0], 2u), subgroupBroadcast(m[1], 2u), subgroupBroadcast(m[2], 2u), subgroupBroadcast(m[3], 2u));
}

fn lane3(m: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    subgroupBroadcast(m[0], 3u), subgroupBroadcast(m[1], 3u), subgroupBroadcast(m[2], 3u), subgroupBroadcast(m[3], 3u));
}

fn lane4(m: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    subgroupBroadcast(m[0], 4u), subgroupBroadcast(m[1], 4u), subgroupBroadcast(m[2], 4u), subgroupBroadcast(m[3], 4u));
}

fn lane5(m: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    subgroupBroadcast(m[0], 5u), subgroupBroadcast(m[1], 5u), subgroupBroadcast(m[2], 5u), subgroupBroadcast(m[3], 5u));
}

fn lane6(m: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    subgroupBroadcast(m[0], 6u), subgroupBroadcast(m[1], 6u), subgroupBroadcast(m[2], 6u), subgroupBroadcast(m[3], 6u));
}

fn lane7(m: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    subgroupBroadcast(m[0], 7u), subgroupBroadcast(m[1], 7u), subgroupBroadcast(m[2], 7u), subgroupBroadcast(m[3], 7u));
}
