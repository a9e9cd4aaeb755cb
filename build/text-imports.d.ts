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
