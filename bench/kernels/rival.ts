// A rival: somebody else's implementation of a kernel, in a module of its own:
//
//   export default { kernel: "linear", implementation: { name: "my-linear", requires: [], wgsl: "…", workgroups: … } };
//   export default { kernel: "add", implementation: { name: "my-add", requires: [], wasm: "myAdd" }, module: bytes };
//   export default { kernel: "add", parameters: { LANES: 64 }, implementation: ({ LANES }) => ({ … }) };
//
// The last is made anew for each value that `--set LANES=32,64,128` names.

import type { Implementation } from "kedge/kernels";
import { implementationsOf, kernels } from "kedge/kernels";
import type { KernelRow } from "./results.ts";
import { combinationsOf, valuesText, type Sweep, type Values } from "./sweep.ts";

/** An implementation of one of kedge's kernels from elsewhere. */
export interface Rival {
  /** name of the kernel */
  readonly kernel: string;
  readonly implementation: Implementation;
  /** names of the parameters that `--set` may name */
  readonly parameters: readonly string[];
  /** the WebAssembly module that exports the function of a `wasm` implementation */
  readonly module?: Uint8Array;
}

/** The default export of a rival's module. */
export interface RivalExport {
  readonly kernel: string;
  /** values of the parameters of `implementation` where no `--set` names others */
  readonly parameters?: Values;
  readonly implementation: Implementation | ((values: Values) => Implementation);
  readonly module?: Uint8Array;
}

/** What a module exports, if it is a rival: one for each combination of swept parameters. Throws an Error that says what is missing. */
export function rivalsOf(exports: unknown, path: string, sweeps: readonly Sweep[] = []): Rival[] {
  const found = (exports as { default?: Partial<RivalExport> } | null)?.default;
  const { kernel, implementation, parameters = {}, module } = found ?? {};
  const isMade = typeof implementation === "function";
  if (typeof kernel !== "string" || !(isMade || (typeof implementation === "object" && implementation !== null))) {
    throw new Error(`${path}: its default export must be { kernel, implementation }`);
  }
  if (!kernels.some(({ name }) => name === kernel)) {
    throw new Error(`${path}: there is no kernel "${kernel}": use ${kernels.map(({ name }) => name).join(", ")}`);
  }
  const rivalOf = (made: Implementation) => {
    checkImplementation(made, kernel, path, module);
    return { kernel, implementation: made, parameters: Object.keys(parameters), ...(module ? { module } : {}) };
  };
  if (!isMade) return [rivalOf(implementation)];
  const own = sweeps.filter(({ name }) => name in parameters);
  return combinationsOf(own).map((values) => {
    const made = implementation({ ...parameters, ...values });
    const text = valuesText(values);
    return rivalOf(text === "" ? made : { ...made, name: `${made.name} ${text}` });
  });
}

/** What is wrong after a bench with rivals: rows with wrong results, and rivals that no call was right for. */
export function faultsOf(
  rivals: readonly Rival[],
  rows: readonly KernelRow[],
): { readonly wrong: readonly KernelRow[]; readonly idle: readonly Rival[] } {
  const tried = new Set(rows.map(({ implementation }) => implementation));
  return {
    wrong: rows.filter(({ failure, isSwept }) => failure !== undefined && !isSwept),
    idle: rivals.filter(({ implementation: { name } }) => !tried.has(name)),
  };
}

function checkImplementation(
  made: Partial<Implementation> | null,
  kernel: string,
  path: string,
  module: unknown,
): void {
  const isImplementation = typeof made === "object" && made !== null && ("wgsl" in made || "wasm" in made);
  if (!isImplementation || typeof made.name !== "string" || !Array.isArray(made.requires)) {
    throw new Error(`${path}: the implementation needs a name, requires, and either wgsl and workgroups or wasm`);
  }
  const known = kernels.find(({ name }) => name === kernel)!;
  if (implementationsOf(known).some(({ name }) => name === made.name)) {
    throw new Error(`${path}: kedge has an implementation ${made.name} of its own: give yours another name`);
  }
  if (!("wasm" in made)) return;
  const name = String(made.wasm);
  if (!(module instanceof Uint8Array)) {
    throw new Error(`${path}: a wasm implementation needs \`module\`, the bytes of the module with ${name}`);
  }
}
