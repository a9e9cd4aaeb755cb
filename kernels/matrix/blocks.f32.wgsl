// What `blocks` keeps in workgroup memory: x and weights as they are.

alias KeptInputs = vec4<f32>;
alias KeptWeights = vec4<f32>;

fn kept_inputs(v: vec4<f32>) -> KeptInputs { return v; }

fn kept_weights(v: vec4<f32>) -> KeptWeights { return v; }
