// y[row] = scale · table[token] (+ position_table[position]); tokens from vocab_size on name rows of `vectors`. A lane takes four
// neighboring columns, as the matrix packs them. Rows whose token is not in this piece of the table are left as they are.
//
// Prepended by the device: `params`, and
//   tokens [rows]
//   positions [rows]
//   table [table_end - table_begin, row_stride(dim)]
//   position_table [context_length, dim]
//   vectors [vector_count, dim]
//   y [rows, dim]

override HAS_POSITIONS: bool;
override HAS_VECTORS: bool;

/// Weights 4k.. of the row of `table` that begins at `row`.
fn table4(row: u32, k: u32) -> vec4<f32> {
  return unpack4(table[codes_at(row, k)], table[scale_at(row, k)], k);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  let groups = (params.dim + 3u) / 4u;
  let row = place / groups;
  if (row >= params.rows) { return; }
  let group = place % groups;
  let column = group * 4u;

  let token = tokens[row];
  var values = vec4<f32>();
  if (token >= params.vocab_size) {
    if (params.table_begin > 0u) { return; }
    if (!HAS_VECTORS || token >= params.vocab_size + params.vector_count) {
      let none = bitcast<f32>(token | 0xffc00000u); // NaN
      for (var i = 0u; i < min(4u, params.dim - column); i++) { y[row * params.dim + column + i] = none; }
      return;
    }
    let from_vector = (token - params.vocab_size) * params.dim + column;
    values = vec4<f32>(
      vectors[from_vector], vectors[from_vector + 1u], vectors[from_vector + 2u], vectors[from_vector + 3u]);
  } else {
    if (token < params.table_begin || token >= params.table_end) { return; }
    let stride = row_stride(params.dim);
    values = table4((token - params.table_begin) * stride, group);
  }
  for (var i = 0u; i < min(4u, params.dim - column); i++) {
    var value = params.scale * values[i];
    if (HAS_POSITIONS) { value += position_table[positions[row] * params.dim + column + i]; }
    y[row * params.dim + column + i] = value;
  }
}
