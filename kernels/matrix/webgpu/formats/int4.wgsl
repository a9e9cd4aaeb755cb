// Four neighboring weights of a matrix quantized to int4. Four groups of 32 are 20 words; the first four are scales and minima.

alias Packed4 = u32;

fn row_stride(columns: u32) -> u32 {
  let groups = (columns + 31u) / 32u;
  return (groups + (groups + 3u) / 4u) * 4u;
}

fn codes_at(row: u32, k: u32) -> u32 {
  return row + k / 32u * 20u + 4u + k % 32u / 2u;
}

fn scale_at(row: u32, k: u32) -> u32 {
  return row + k / 32u * 20u + k % 32u / 8u;
}

fn unpack4(codes: Packed4, scales: Packed4, k: u32) -> vec4<f32> {
  let four = codes >> ((k & 1u) * 16u);
  let quads = vec4<u32>(four, four >> 4u, four >> 8u, four >> 12u) & vec4<u32>(15u);
  return vec4<f32>(quads) * half_to_float(scales & 0xffffu) + half_to_float(scales >> 16u);
}
