// Four neighboring weights of a matrix quantized to int8: eight groups of 32 are 68 words, their scales in the first four.

alias Packed4 = u32;

fn row_stride(columns: u32) -> u32 {
  let groups = (columns + 31u) / 32u;
  return groups * 8u + (groups + 7u) / 8u * 4u;
}

fn codes_at(row: u32, k: u32) -> u32 {
  return row + k / 64u * 68u + 4u + k % 64u;
}

fn scale_at(row: u32, k: u32) -> u32 {
  return row + k / 64u * 68u + k % 64u / 16u;
}

fn unpack4(codes: Packed4, scales: Packed4, k: u32) -> vec4<f32> {
  let scale = half_to_float((scales >> (((k >> 3u) & 1u) * 16u)) & 0xffffu);
  let quads = vec4<i32>(vec4<u32>(codes << 24u, codes << 16u, codes << 8u, codes)) >> vec4<u32>(24u);
  return vec4<f32>(quads) * scale;
}
