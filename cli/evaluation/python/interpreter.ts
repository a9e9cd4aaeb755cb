// CPython in WebAssembly, from the package pyodide: started once, copied for every program.
//
// Pyodide is started as in a bare JavaScript shell, so that its glue never sees Node. Then the memory is copied, and from there on each program
// gets two fresh instances of the WebAssembly module with that copy for memory: one for itself, one for its tests. They import only the
// calls of system-calls.ts; of pyodide's own bridges between the languages none is used, and all are closed. What a program does to its
// interpreter is gone with the instance.

import { failure } from "../outcome.ts";
import { SETUP_SOURCE } from "./setup-source.ts";
import { filterImports, Stopped, type Imports, type SystemCalls } from "./system-calls.ts";

interface WasmInstance {
  readonly exports: Record<string, never>;
}
interface WasmNamespace {
  compile(bytes: Uint8Array): Promise<object>;
  instantiate(source: object, imports: object): Promise<unknown>;
  readonly Instance: new (module: object, imports: object) => WasmInstance;
}
// Taken before the realm is sealed.
const { Buffer, TextDecoder, TextEncoder, URL, setTimeout, clearTimeout } = globalThis;
const clock = { now: performance.now.bind(performance) };
const { WebAssembly } = globalThis as unknown as { WebAssembly: WasmNamespace };

/** The functions of C that are used, by what WebAssembly exports. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(bytes: number): number;
  free(at: number): void;
  PyUnicode_FromStringAndSize(at: number, bytes: number): number;
  PyUnicode_AsUTF8AndSize(text: number, length: number): number;
  PyObject_CallOneArg(callee: number, argument: number): number;
  PyErr_Clear(): void;
}

/** The module that the glue makes. */
interface Glue {
  readonly FS: {
    mkdirTree(path: string): void;
    writeFile(path: string, bytes: Uint8Array, options: { readonly canOwn: boolean }): void;
  };
  readonly HEAPU8: Uint8Array;
  readonly _Py_EMSCRIPTEN_SIGNAL_HANDLING?: number;
  readonly _Py_IncRef: (object: number) => void;
}
type MakeGlue = (settings: object) => Promise<Glue>;

interface Pyodide {
  runPython(source: string): unknown;
  readonly _module: Glue;
  readonly _api: { readonly runtimeEnv: object };
}

/** The files of the package pyodide, read before the realm is sealed. */
export interface PyodideFiles {
  readonly wasm: Uint8Array;
  readonly standardLibrary: Uint8Array;
  /** of its lock file, whose packages are left out */
  readonly lockInfo: unknown;
  /** the modules pyodide.mjs and pyodide.asm.mjs */
  readonly load: () => Promise<{
    readonly loadPyodide: (options: object) => Promise<Pyodide>;
    readonly makeGlue: MakeGlue;
  }>;
  readonly fillRandom: (bytes: Uint8Array) => void;
}

/** Which function of Python an instance answers with. */
export type Part = "guest" | "judge";

/** A running copy of the interpreter. */
export interface Instance {
  /**
   * Calls the part with a text.
   *
   * @throws Stopped where the interpreter was ended
   */
  call(part: Part, text: Uint8Array): Uint8Array;
}

/** Makes instances. */
export interface Interpreter {
  /** bytes of memory that an instance has before it does anything */
  readonly imageBytes: number;
  open(calls: Omit<SystemCalls, "memory" | "fillRandom" | "isStarting">): Promise<Instance>;
}

/** Starts Python and copies its memory. The globals that the glue takes for a shell's are set here, and deleted again. */
export async function startInterpreter(files: PyodideFiles): Promise<Interpreter> {
  const shell = {
    read: () => "{}",
    load: () => {},
    readbuffer: (name: string) => {
      if (name.endsWith(".zip")) return files.standardLibrary;
      if (name.endsWith(".wasm")) return files.wasm;
      throw new Error(`no file ${name}`);
    },
    os: {
      // The glue asks a shell for random bytes with `head -c<count> /dev/urandom | base64`.
      system: (_shell: string, [, command = ""]: readonly string[]) => {
        const bytes = new Uint8Array(Number(/-c(\d+)/.exec(command)?.[1]));
        files.fillRandom(bytes);
        return Buffer.from(bytes).toString("base64");
      },
    },
    console: Object.fromEntries(["log", "warn", "error", "info", "debug"].map((name) => [name, () => {}])),
    TextDecoder,
    TextEncoder,
    URL,
    performance: clock,
    setTimeout,
    clearTimeout,
  };
  Object.assign(globalThis, shell);
  const { loadPyodide, makeGlue } = await files.load();
  const module = await WebAssembly.compile(files.wasm);
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (source, imports) => {
    if (!(source instanceof Uint8Array && source.length === files.wasm.length))
      return instantiate.call(WebAssembly, source, imports);
    let instance: WasmInstance | undefined;
    const { wasi_snapshot_preview1: wasi, ...others } = imports as Imports;
    const random = (at: number, length: number): number => {
      files.fillRandom(new Uint8Array((instance!.exports as unknown as Exports).memory.buffer, at, length));
      return 0;
    };
    const own = { ...others, wasi_snapshot_preview1: { ...wasi, random_get: random } };
    instance = (await instantiate.call(WebAssembly, module, own)) as WasmInstance;
    return { instance, module };
  };
  const python = await loadPyodide({
    indexURL: "/",
    createPyodideModule: makeGlue,
    lockFileContents: { info: files.lockInfo, packages: {} },
    jsglobals: Object.create(null) as object,
    env: { HOME: "/", PYTHONHASHSEED: "0" },
    stdin: () => null,
    stdout: () => {},
    stderr: () => {},
  });
  WebAssembly.instantiate = instantiate;
  const { _module: glue, _api: api } = python;
  // Python looks now and then whether a signal came: that is when the time is looked at (system-calls.ts).
  const { _Py_EMSCRIPTEN_SIGNAL_HANDLING: watchesSignals, _Py_IncRef: keep } = glue;
  if (watchesSignals === undefined) throw new Error("this pyodide has no signals");
  glue.HEAPU8[watchesSignals] = 1;
  python.runPython(SETUP_SOURCE);
  const [guest, judge] = (python.runPython("','.join(map(str, addresses))") as string).split(",").map(Number);
  for (const part of [guest, judge]) keep(part!); // no name leads to them
  python.runPython("del addresses, guest, judge; space = None; gc.collect()");
  const image = glue.HEAPU8.slice();
  for (const name of ["read", "load", "readbuffer", "os", "URL", "setTimeout", "clearTimeout"])
    Reflect.deleteProperty(globalThis, name);
  return {
    imageBytes: image.length,
    async open(calls) {
      let exports: Exports | undefined;
      let isStarting = true;
      const memory = (): ArrayBuffer => exports!.memory.buffer;
      const settings = {
        noInitialRun: true,
        INITIAL_MEMORY: image.length,
        preRun: [
          ({ FS }: Glue) => {
            FS.mkdirTree("/lib");
            FS.writeFile("/lib/python314.zip", files.standardLibrary, { canOwn: true });
          },
        ],
        API: { config: {}, runtimeEnv: api.runtimeEnv },
        print: () => {},
        printErr: () => {},
        instantiateWasm: (imports: Imports, onReady: (instance: WasmInstance, module: object) => void) => {
          filterImports(imports, {
            ...calls,
            memory,
            fillRandom: files.fillRandom,
            isStarting: () => isStarting,
          });
          const instance = new WebAssembly.Instance(module, imports);
          exports = instance.exports as unknown as Exports;
          onReady(instance, module);
          return {};
        },
      };
      const own = await makeGlue(settings);
      isStarting = false;
      own.HEAPU8.set(image);
      const fullBytes = (image.length + calls.memoryBytes) / 2;
      return instanceOf(exports!, { guest: guest!, judge: judge! }, fullBytes);
    },
  };
}

/** @param fullBytes memory beyond which an answer that never came is a lack of memory */
function instanceOf(c: Exports, parts: Readonly<Record<Part, number>>, fullBytes: number): Instance {
  return {
    call(part, text) {
      try {
        const at = c.malloc(text.length + 1);
        if (at === 0) throw new Stopped(failure("memory", "out of memory"));
        new Uint8Array(c.memory.buffer).set(text, at);
        const argument = c.PyUnicode_FromStringAndSize(at, text.length);
        c.free(at);
        const answer = argument === 0 ? 0 : c.PyObject_CallOneArg(parts[part], argument);
        const length = answer === 0 ? 0 : c.malloc(4);
        const begin = length === 0 ? 0 : c.PyUnicode_AsUTF8AndSize(answer, length);
        if (begin === 0) {
          c.PyErr_Clear();
          const isFull = c.memory.buffer.byteLength > fullBytes;
          throw new Stopped(
            isFull ? failure("memory", "out of memory") : failure("exception", "the program broke its interpreter"),
          );
        }
        const bytes = new DataView(c.memory.buffer).getUint32(length, true);
        return new Uint8Array(c.memory.buffer, begin, bytes).slice();
      } catch (error) {
        throw error instanceof Stopped ? error : new Stopped(faultOf(error));
      }
    },
  };
}

/** The interpreter itself gave up. */
function faultOf(error: unknown): ReturnType<typeof failure> {
  const reason = error instanceof Error ? error.message : String(error);
  if (/call stack/i.test(reason)) return failure("exception", "RecursionError: stack overflow");
  if (/memory allocation|out of memory/i.test(reason)) return failure("memory", "out of memory");
  return failure("exception", `the interpreter gave up: ${reason.split("\n")[0]}`);
}
