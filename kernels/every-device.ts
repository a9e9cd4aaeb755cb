// `kedge/kernels`: the registry with the implementations for every device. Inside kedge kernels come from index.ts with those of
// `wasm` alone; the other devices import theirs, so that a page loads no shaders that it does not run.

import "./every-on-gpu.ts";
import "./every-on-webgl.ts";

export * from "./index.ts";
