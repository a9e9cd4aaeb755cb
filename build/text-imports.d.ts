/** Shaders are imported as text: `import code from "./rms-norm.wgsl?raw"`. */
declare module "*.wgsl?raw" {
  const code: string;
  export default code;
}
