// Numbers of workgroups for WGSL implementations.

/** Workgroups that one dimension of a dispatch may have in every WebGPU. */
const MAX_PER_DIMENSION = 65535;

/** [x, y, 1] for `count` workgroups in a line; the shader's number is x + y · num_workgroups.x and may reach beyond `count`. */
export function spread(count: number): readonly [number, number, number] {
  const y = Math.ceil(count / MAX_PER_DIMENSION);
  return y <= 1 ? [count, 1, 1] : [Math.ceil(count / y), y, 1];
}

/** `spread` for `count` elements, one a lane in workgroups of 64. */
export function spreadLanes(count: number): readonly [number, number, number] {
  return spread(Math.ceil(count / 64));
}
