// `kedge/devices`: devices by themselves, programs of kernels on them, and what a machine has.

export { chooseDevice, openDevice, type DeviceChoice, type DeviceOptions, type DevicePick } from "./devices/open.ts";
export {
  DeviceError,
  type Demotion,
  type Device,
  type DeviceMemory,
  type DeviceName,
  type Executable,
  type Matrix,
  type MatrixSource,
  type PrepareOptions,
  type Read,
  type Step,
  type Tensor,
  type Write,
} from "./devices/device.ts";
export { implementationsOn } from "./devices/implementations.ts";
export type { DeviceIdentity, MeasuredChoice, MeasuredChoices } from "./devices/measured-choices.ts";
export { ProgramBuilder, variable, type Call, type Program, type Value, type Variable } from "./devices/program.ts";
export { runTrial, selfTest, type SelfTestOptions, type SelfTestResult } from "./devices/self-test.ts";
export type { WasmOptions } from "./devices/wasm/wasm-options.ts";
export type { WebGlOptions } from "./devices/webgl/webgl-device.ts";
export { probeWebGpu, type AdapterFacts, type AdapterOptions, type Probe } from "./devices/webgpu/probe.ts";
export type { WebGpuOptions } from "./devices/webgpu/webgpu-device.ts";
export type { KernelCall } from "./model/pass.ts";
