// What `blocks` keeps in workgroup memory: x and weights rounded to halves, which halves what its loop loads for each
// multiply-add. Products and sums are f32. An approximation: numbers come off by 2^-11 of themselves (docs/numerics.md), and
// what no half can hold is taken for the largest one.

alias KeptInputs = vec4<f16>;
alias KeptWeights = vec4<f16>;

const LARGEST = vec4<f32>(65504.0);

fn kept_inputs(v: vec4<f32>) -> KeptInputs { return KeptInputs(clamp(v, -LARGEST, LARGEST)); }

fn kept_weights(v: vec4<f32>) -> KeptWeights { return KeptWeights(clamp(v, -LARGEST, LARGEST)); }
