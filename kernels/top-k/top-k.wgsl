// The k largest of a row in order: a lane per row. It keeps the list in the outputs, sorts the first k columns into it, then every
// later number that is larger than the last of the list.
//
// Prepended by the device: `params`, x [rows, columns], values [rows, k], column_of [rows, k], total [rows]; before them
// softmax/weight.wgsl.

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (row >= params.rows) { return; }
  let base = row * params.columns;
  let list = row * params.k;
  var lowest = x[base];
  for (var i = 0u; i < params.columns; i++) {
    let value = x[base + i];
    if (i >= params.k && !(value > lowest)) { continue; }
    var at = list + min(i, params.k - 1u);
    while (at > list && values[at - 1u] < value) {
      values[at] = values[at - 1u];
      column_of[at] = column_of[at - 1u];
      at--;
    }
    values[at] = value;
    column_of[at] = i;
    if (i + 1u >= params.k) { lowest = values[list + params.k - 1u]; }
  }
  let largest = values[list];
  var sum = 0.0;
  for (var i = 0u; i < params.columns; ) {
    var part = 0.0;
    for (let end = min(params.columns, i + 1024u); i < end; i++) { part += scaled_weight(x[base + i], largest); }
    sum += part;
  }
  total[row] = total_of(sum, largest);
}
