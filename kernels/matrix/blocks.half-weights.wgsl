// What `blocks` keeps in workgroup memory of a matrix that is stored as f16: x as it is, and weights as the halves that they
// are, so that nothing is rounded and a third less is kept for each column.

alias KeptInputs = vec4<f32>;
alias KeptWeights = vec4<f16>;

fn kept_inputs(v: vec4<f32>) -> KeptInputs { return v; }

fn kept_weights(v: vec4<f32>) -> KeptWeights { return KeptWeights(v); }
