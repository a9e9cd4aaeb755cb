// Numbers in the workgroup memory of blocks.wgsl: x and weights rounded to halves, so that the loop loads half as much for each
// multiply-add. Products and sums are f32. The result is approximate: numbers are off by up to 2^-11 of themselves (docs/numerics.md),
// and finite numbers beyond the largest half become that one. NaN and infinities become NaN.

alias KeptInputs = vec4<f16>;
alias KeptWeights = vec4<f16>;

const LARGEST = vec4<f32>(65504.0);

/// Within the halves; NaN for what is no number.
fn held(v: vec4<f32>) -> vec4<f32> {
  let bits = bitcast<vec4<u32>>(v);
  let is_none = (bits & vec4<u32>(0x7f800000u)) == vec4<u32>(0x7f800000u);
  return select(clamp(v, -LARGEST, LARGEST), bitcast<vec4<f32>>(bits | vec4<u32>(0x7fc00000u)), is_none);
}

fn kept_inputs(v: vec4<f32>) -> KeptInputs { return KeptInputs(held(v)); }

fn kept_weights(v: vec4<f32>) -> KeptWeights { return KeptWeights(held(v)); }
