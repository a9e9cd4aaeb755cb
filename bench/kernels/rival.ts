// A rival: somebody else's implementation of a kernel, in a module of its own:
//
//   export default { kernel: "linear", implementation: { name: "my-linear", requires: [], wgsl: "…", workgroups: … } };
//   export default { kernel: "add", implementation: { name: "my-add", requires: [], wasm: "myAdd" }, module: bytes };

import type { Implementation } from "kedge/kernels";
import { implementationsOf, kernels } from "kedge/kernels";

/** An implementation of one of kedge's kernels from elsewhere. */
export interface Rival {
  /** name of the kernel */
  readonly kernel: string;
  readonly implementation: Implementation;
  /** the WebAssembly module that exports the function of a `wasm` implementation */
  readonly module?: Uint8Array;
}

/** What a module exports, if it is a rival. Throws an Error that says what is missing. */
export function rivalOf(exports: unknown, path: string): Rival {
  const found = (exports as { default?: Partial<Rival> } | null)?.default;
  const { kernel, implementation, module } = found ?? {};
  if (typeof kernel !== "string" || typeof implementation !== "object") {
    throw new Error(`${path}: its default export must be { kernel, implementation }`);
  }
  const known = kernels.find(({ name }) => name === kernel);
  if (!known) {
    throw new Error(`${path}: there is no kernel "${kernel}": use ${kernels.map(({ name }) => name).join(", ")}`);
  }
  const isImplementation = "wgsl" in implementation || "wasm" in implementation;
  if (!isImplementation || typeof implementation.name !== "string" || !Array.isArray(implementation.requires)) {
    throw new Error(`${path}: the implementation needs a name, requires, and either wgsl and workgroups or wasm`);
  }
  if (implementationsOf(known).some(({ name }) => name === implementation.name)) {
    throw new Error(`${path}: kedge has an implementation ${implementation.name} of its own: give yours another name`);
  }
  if ("wasm" in implementation && !(module instanceof Uint8Array)) {
    throw new Error(
      `${path}: a wasm implementation needs \`module\`, the bytes of the module with ${implementation.wasm}`,
    );
  }
  return { kernel, implementation, ...(module ? { module } : {}) };
}
