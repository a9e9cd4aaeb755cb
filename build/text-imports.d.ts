/** Shaders are imported as text: `import code from "./rms-norm.wgsl?raw"`. */
declare module "*.wgsl?raw" {
  const code: string;
  export default code;
}

/** JavaScript for gpu.js is imported as text too, so that no minifier changes it: `import code from "./rms-norm.gl.js?raw"`. */
declare module "*.gl.js?raw" {
  const code: string;
  export default code;
}

/** A file of dist/, gzipped and in base64: build/embedded.mjs writes it. */
declare module "*/dist/embedded-relaxed-shared.js" {
  const copy: string;
  export default copy;
}
/** A file of dist/, gzipped and in base64: build/embedded.mjs writes it. */
declare module "*/dist/embedded-relaxed.js" {
  const copy: string;
  export default copy;
}
/** A file of dist/, gzipped and in base64: build/embedded.mjs writes it. */
declare module "*/dist/embedded-simd-shared.js" {
  const copy: string;
  export default copy;
}
/** A file of dist/, gzipped and in base64: build/embedded.mjs writes it. */
declare module "*/dist/embedded-simd.js" {
  const copy: string;
  export default copy;
}
/** A file of dist/, gzipped and in base64: build/embedded.mjs writes it. */
declare module "*/dist/embedded-worker.js" {
  const copy: string;
  export default copy;
}
