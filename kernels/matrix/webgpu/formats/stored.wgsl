// Where four neighboring weights of a stored matrix are: row after row, each padded to a multiple of 32 columns.

fn row_stride(columns: u32) -> u32 {
  return (columns + 31u) / 32u * 8u;
}

fn codes_at(row: u32, k: u32) -> u32 {
  return row + k;
}

/// No scales: the weights themselves, which are loaded once.
fn scale_at(row: u32, k: u32) -> u32 {
  return row + k;
}
