// Numbers in the workgroup memory of blocks.wgsl: x and weights rounded to halves, so that the loop loads half as much for each
// multiply-add. Products and sums are f32. The result is approximate: numbers are off by up to 2^-11 of themselves (docs/numerics.md),
// and numbers beyond the largest half become that one.

alias KeptInputs = vec4<f16>;
alias KeptWeights = vec4<f16>;

const LARGEST = vec4<f32>(65504.0);

fn kept_inputs(v: vec4<f32>) -> KeptInputs { return KeptInputs(clamp(v, -LARGEST, LARGEST)); }

fn kept_weights(v: vec4<f32>) -> KeptWeights { return KeptWeights(clamp(v, -LARGEST, LARGEST)); }
