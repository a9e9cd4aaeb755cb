// What the wasm device uses of Node or of a browser, typed here: the DOM's declarations and Node's do not go together.
// Node's modules come through process.getBuiltinModule, so that bundlers for the browser never see them.

/** A linear memory; its buffer is a SharedArrayBuffer where it is shared. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
/** A table of functions, of whichever instances. */
export interface WasmTable {
  readonly length: number;
  grow(count: number): number;
  set(index: number, value: unknown): void;
}
/** A compiled module: may be posted to workers. */
export type WasmModule = object;
type WasmExports = Readonly<Record<string, unknown>> & { readonly table: WasmTable };

interface WebAssemblyApi {
  readonly Memory: new (options: { initial: number; maximum?: number; shared?: boolean }) => WasmMemory;
  readonly Instance: new (
    module: WasmModule,
    imports: { readonly env: Readonly<Record<string, unknown>> & { readonly memory: WasmMemory } },
  ) => { readonly exports: WasmExports };
  compile(bytes: Uint8Array): Promise<WasmModule>;
  validate(bytes: Uint8Array): boolean;
}

/** The engine's WebAssembly. */
export const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

/** Bytes of a page of linear memory. */
export const PAGE_BYTES = 65536;

/** One end of a channel between the caller's thread and a worker. */
export interface Port {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Node: whether a process may end while this worker is there. */
  holdProcess(isHeld: boolean): void;
  /** resolves when the worker has ended; in a browser, which does not tell, at once */
  terminate(): Promise<unknown>;
}

/** What a page calls Worker. */
export interface PageWorker {
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
  addEventListener(kind: string, listener: (event: { data: unknown; message?: string }) => void): void;
  terminate(): void;
}
export type WorkerConstructor = new (url: URL, options: { type: "module" }) => PageWorker;
interface PageGlobal {
  readonly Worker?: WorkerConstructor;
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly crossOriginIsolated?: boolean;
  postMessage?(message: unknown, transfer: readonly ArrayBuffer[]): void;
  addEventListener?(kind: "message", listener: (event: { data: unknown }) => void): void;
}
/** The global scope of a page or of its worker. */
export const pageGlobal = globalThis as unknown as PageGlobal;

type NodeProcess = Pick<typeof process, "getBuiltinModule" | "versions">;
const node = (globalThis as { readonly process?: NodeProcess }).process;
/** True in Node, and in what offers Node's modules. */
export const isNode = node?.versions?.node !== undefined;

interface Builtins {
  readonly "node:worker_threads": typeof import("node:worker_threads");
  readonly "node:fs/promises": typeof import("node:fs/promises");
  readonly "node:os": typeof import("node:os");
  readonly "node:v8": typeof import("node:v8");
}

/** A module of Node's, without an import that bundlers would follow. */
export function builtin<Id extends keyof Builtins>(id: Id): Builtins[Id] {
  return node!.getBuiltinModule(id) as Builtins[Id];
}

/** Whether workers can share a memory here. */
export function canShareMemory(): boolean {
  return typeof SharedArrayBuffer !== "undefined" && (isNode || pageGlobal.crossOriginIsolated === true);
}

/**
 * How many threads to use when nobody says. Up to four cores: all. Of more, half, and 16 at most: the second thread of a
 * core and the slow cores of a mixed processor add little to kernels that wait for memory or for the slowest share.
 */
export function defaultThreads(): number {
  const cores = isNode ? builtin("node:os").availableParallelism() : (pageGlobal.navigator?.hardwareConcurrency ?? 1);
  return cores <= 4 ? Math.max(1, cores) : Math.min(16, Math.max(4, Math.floor(cores / 2)));
}

/** The processor's model where it is known: a browser does not tell. */
export function processorName(): string {
  return isNode ? (builtin("node:os").cpus()[0]?.model.trim() ?? "unknown") : "browser";
}

/** A module whose only function is f32x4.relaxed_madd of zeros. */
const relaxedModule = Uint8Array.from(
  `0061736d01000000010501600001 7b03020100 0a130111 00 ${"4100fd0f".repeat(3)} fd8502 0b`
    .replaceAll(" ", "")
    .match(/../g)!,
  (byte) => Number.parseInt(byte, 16),
);

/** Whether the engine compiles relaxed SIMD; Node 20 has it behind a flag, which this sets. */
export function hasRelaxedSimd(): boolean {
  if (isNode && Number.parseInt(node!.versions.node, 10) < 22) {
    builtin("node:v8").setFlagsFromString("--experimental-wasm-relaxed-simd");
  }
  return webAssembly.validate(relaxedModule);
}

/** The bytes at a URL; file URLs in Node. Throws an Error that says what is missing. */
export async function readBytes(url: URL): Promise<Uint8Array> {
  if (isNode && url.protocol === "file:") {
    return builtin("node:fs/promises")
      .readFile(url)
      .catch((cause: unknown) => {
        throw new Error(`${url.pathname} cannot be read: is the package built (npm run build)?`, { cause });
      });
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.href} answers ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Inside a worker: the way to the thread that started it. */
export function openParent(onMessage: (message: unknown) => void): Pick<Port, "post"> {
  if (isNode) {
    const port = builtin("node:worker_threads").parentPort!;
    port.on("message", onMessage);
    return { post: (message, transfer = []) => port.postMessage(message, transfer) };
  }
  pageGlobal.addEventListener!("message", ({ data }) => onMessage(data));
  return { post: (message, transfer = []) => pageGlobal.postMessage!(message, transfer) };
}
