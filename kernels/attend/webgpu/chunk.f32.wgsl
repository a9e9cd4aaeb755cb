// Keys and values in the workgroup memory of tiles.wgsl: as the cache's format decodes them.

alias Kept = vec4<f32>;
