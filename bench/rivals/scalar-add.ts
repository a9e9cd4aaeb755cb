// A rival of `add` on wasm, in a module of its own: AssemblyScript without SIMD, compiled here. Any compiler works
// whose module imports env.memory and has no data of its own.
//
//   npm run bench kernels -- --device wasm --kernel add --rival bench/rivals/scalar-add.ts

import { compileString } from "assemblyscript/asc";
import type { WasmImplementation } from "kedge/kernels";

// The conventions: at `call` the addresses of a, b and y, then rows and dim; every thread does its share.
const source = `
  export function scalarAdd(call: usize, thread: i32, threads: i32): void {
    const a = <usize>load<u32>(call);
    const b = <usize>load<u32>(call, 4);
    const y = <usize>load<u32>(call, 8);
    const count = load<u32>(call, 12) * load<u32>(call, 16);
    const end = <usize>(count * <u32>(thread + 1) / <u32>threads) << 2;
    for (let i = <usize>(count * <u32>thread / <u32>threads) << 2; i < end; i += 4) {
      store<f32>(y + i, load<f32>(a + i) + load<f32>(b + i));
    }
  }`;

const { error, stderr, binary } = await compileString(source, {
  optimizeLevel: 3,
  noAssert: true,
  enable: ["threads"],
  runtime: "stub",
  importMemory: true,
  sharedMemory: true,
  maximumMemory: 65536,
});
if (error || !binary) throw new Error(`asc: ${error?.message ?? ""} ${stderr.toString()}`);

const implementation: WasmImplementation = { name: "add.scalar", wasm: "scalarAdd", requires: [] };

export default { kernel: "add", implementation, module: binary };
