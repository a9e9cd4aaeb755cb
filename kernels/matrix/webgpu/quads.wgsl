// Reads four neighboring weights of a line, columns 4k.., given where the line begins (quad.wgsl), and finishes blocks of sums.

fn first4(begin: u32, k: u32) -> vec4<f32> {
  return unpack4(first_element(codes_at(begin, k)), first_element(scale_at(begin, k)), k);
}

fn second4(begin: u32, k: u32) -> vec4<f32> {
  return unpack4(second_element(codes_at(begin, k)), second_element(scale_at(begin, k)), k);
}

/// Finishes the sums that exist of a block of 4 rows.
fn finish(row: u32, output: u32, step: u32, sums: mat4x4<f32>) {
  var rows = transpose(sums);
  for (var r = 0u; r < min(4u, params.rows - row); r++) { finish_row(row + r, output, step, rows[r]); }
}
