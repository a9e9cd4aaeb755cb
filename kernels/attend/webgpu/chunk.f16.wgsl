// Keys and values in the workgroup memory of tiles.wgsl, for caches of f16: as halves, so that nothing is rounded and half as much is
// loaded.

alias Kept = vec4<f16>;
