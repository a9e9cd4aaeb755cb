// What `attend.tiles` keeps of keys and values in workgroup memory where the cache holds halves: those halves, so that nothing
// is rounded, and its loops load half as much of them.

alias Kept = vec4<f16>;
