// Numbers in the workgroup memory of blocks.wgsl: x and weights as f32.

alias KeptInputs = vec4<f32>;
alias KeptWeights = vec4<f32>;

fn kept_inputs(v: vec4<f32>) -> KeptInputs { return v; }

fn kept_weights(v: vec4<f32>) -> KeptWeights { return v; }
