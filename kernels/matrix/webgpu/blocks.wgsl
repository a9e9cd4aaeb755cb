// Many rows, for adapters with fast workgroup memory: a workgroup of 128 lanes takes 64 rows x 64 lines, 16 columns at a time. x and
// weights go through workgroup memory, transposed so that numbers of one column are side by side. A lane keeps 8 rows x 4 lines in
// registers, so that three loads of four serve 32 multiply-adds. blocks.*.wgsl says how numbers are kept there. inputs is a multiple
// of 4.

const ROWS = 64u;
const QUADS = 16u;
/// Columns of a step, in fours.
const STEP = 4u;

var<workgroup> inputs: array<KeptInputs, 256>;    // [16 columns][16 fours of rows]
var<workgroup> weights: array<KeptWeights, 256>;  // [16 columns][16 quads]

/// Columns 4k.. of four rows, [columns][rows]: zeros beyond the last column, of a row beyond the last the last row's.
fn inputs4(row: u32, k: u32) -> mat4x4<f32> {
  let groups = params.inputs / 4u;
  var zeros: mat4x4<f32>;
  if (k >= groups) { return zeros; }
  let at = min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(params.rows - 1u)) * groups + k;
  return transpose(mat4x4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]));
}

/// The same columns of a quad's lines, [columns][lines].
fn weights4(output: u32, k: u32) -> mat4x4<f32> {
  let own = min(k, params.inputs / 4u - 1u);
  return transpose(mat4x4<f32>(
    first4(line(0u, output, 1u), own), first4(line(1u, output, 1u), own),
    second4(line(2u, output, 1u), own), second4(line(3u, output, 1u), own)));
}

/// sums + products of 4 rows and 4 lines at one column, [lines][rows].
fn add(rows: vec4<f32>, lines: vec4<f32>, sums: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    fma(rows, vec4<f32>(lines.x), sums[0]), fma(rows, vec4<f32>(lines.y), sums[1]),
    fma(rows, vec4<f32>(lines.z), sums[2]), fma(rows, vec4<f32>(lines.w), sums[3]));
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup_id: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let row = workgroup_id.y * ROWS;
  let output = workgroup_id.x * QUADS * QUAD;
  // What this lane brings, x in the first half of the lanes: four columns, and of which rows or quad of lines.
  let columns = index % STEP;
  let brought = index / STEP % 16u;
  let place = columns * 64u + brought;
  // What it computes.
  let quad = index % QUADS;
  let rows = index / QUADS * 2u;
  var low = mat4x4<f32>();
  var high = mat4x4<f32>();
  for (var k = 0u; k < params.inputs / 4u; k += STEP) {
    if (index < 64u) {
      let brick = inputs4(row + brought * 4u, k + columns);
      inputs[place] = kept_inputs(brick[0]);
      inputs[place + 16u] = kept_inputs(brick[1]);
      inputs[place + 32u] = kept_inputs(brick[2]);
      inputs[place + 48u] = kept_inputs(brick[3]);
    } else {
      let brick = weights4(output + brought * QUAD, k + columns);
      weights[place] = kept_weights(brick[0]);
      weights[place + 16u] = kept_weights(brick[1]);
      weights[place + 32u] = kept_weights(brick[2]);
      weights[place + 48u] = kept_weights(brick[3]);
    }
    workgroupBarrier();
    for (var column = 0u; column < STEP * 4u; column++) {
      let lines = vec4<f32>(weights[column * 16u + quad]);
      low = add(vec4<f32>(inputs[column * 16u + rows]), lines, low);
      high = add(vec4<f32>(inputs[column * 16u + rows + 1u]), lines, high);
    }
    workgroupBarrier();
  }
  let first = row + rows * 4u;
  if (first < params.rows) { finish(first, output + quad * QUAD, 1u, low); }
  if (first + 4u < params.rows) { finish(first + 4u, output + quad * QUAD, 1u, high); }
}
