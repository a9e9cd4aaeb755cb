// Numbers that the WebGPU specification fixes. Node has no globals `GPUBufferUsage` and `GPUMapMode`, and these never change.

/** Bits of GPUBufferUsage. */
export const USAGE = {
  mapRead: 0x1,
  copySrc: 0x4,
  copyDst: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const;
/** GPUMapMode.READ. */
export const MAP_READ = 0x1;
/** GPUShaderStage.COMPUTE. */
export const COMPUTE = 0x4;
/** Sizes of buffers are multiples of this, so that a shader may see the numbers four at a time. */
export const BUFFER_STEP = 16;
