// What `attend.tiles` keeps of keys and values in workgroup memory: numbers as the cache's format decodes them.

alias Kept = vec4<f32>;
