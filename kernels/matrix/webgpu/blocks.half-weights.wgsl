// Numbers in the workgroup memory of blocks.wgsl, for matrices stored as f16: x as f32 and weights as halves, so that nothing is rounded
// and a column takes a third less memory.

alias KeptInputs = vec4<f32>;
alias KeptWeights = vec4<f16>;

fn kept_inputs(v: vec4<f32>) -> KeptInputs { return v; }

fn kept_weights(v: vec4<f32>) -> KeptWeights { return KeptWeights(v); }
