// What the interpreter may ask of its host: the functions that its WebAssembly imports. All that is not named here is closed, so that a way
// to JavaScript, to the network or to a new process that Python code might find in the interpreter leads nowhere.

import { failure, type Outcome } from "../outcome.ts";

/** Thrown through the interpreter, which no Python code can catch: ends the program with an outcome. */
export class Stopped extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    super("stopped");
    this.outcome = outcome;
  }
}

/** A function that WebAssembly imports. */
type HostFunction = (...args: number[]) => unknown;
/** The functions that WebAssembly imports, by module and name. */
export type Imports = Readonly<Record<string, Record<string, unknown>>>;

/** Read only: clocks, calendars, files that the interpreter holds in its own memory, and how much memory there is. */
const OPEN = new Set([
  ...["environ_sizes_get", "environ_get", "fd_close", "fd_seek", "fd_pread", "fd_fdstat_get"],
  ...["clock_res_get", "clock_time_get", "emscripten_date_now", "emscripten_get_now", "_tzset_js", "_timegm_js"],
  ...["_mktime_js", "_localtime_js", "_gmtime_js", "__syscall_fcntl64", "__syscall_faccessat"],
  ...["__syscall_chdir", "__syscall_fchdir", "__syscall_getcwd", "__syscall_getdents64", "__syscall_fstat64"],
  ...["__syscall_stat64", "__syscall_lstat64", "__syscall_newfstatat", "__syscall_ioctl", "__syscall_readlinkat"],
  ...["__syscall_dup", "__syscall_dup3", "__syscall_fadvise64", "__syscall_umask_js", "__syscall_getuid32_js"],
  ...["_emscripten_get_progname", "_Py_emscripten_runtime"],
  ...["emscripten_runtime_keepalive_push", "emscripten_runtime_keepalive_pop", "_emscripten_runtime_keepalive_clear"],
  ...["_PyEM_TrampolineCall_JS"],
]);

/** Error numbers of WASI, as the interpreter's C library has them. */
const EACCES = 2;
const EBADF = 8;
const ENOSYS = 52;
const EROFS = 69;
/** Flags of open: write-only, read and write, create, truncate, append. */
const O_WRITES = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000;

/** Calls that change files. */
const CHANGES =
  /^__syscall_(chmod|fchmod|fchmodat2|fchownat|fchown32|ftruncate64|truncate64|mkdirat|mknodat|unlinkat|rmdir|renameat|symlinkat|utimensat|fallocate|fdatasync)$/;
/** The number of the file through which the tests' interpreter asks the program's. */
export const CHANNEL = 1000;

/** What a set of system calls belongs to. */
export interface SystemCalls {
  /** while the module is made, before any Python runs: then the glue may do what it does at its start */
  readonly isStarting: () => boolean;
  /** the memory of the instance, once there is one */
  readonly memory: () => ArrayBuffer;
  /** the largest memory, in bytes */
  readonly memoryBytes: number;
  /** called now and then while Python code runs; throws to end it */
  readonly onTick: () => void;
  readonly fillRandom: (bytes: Uint8Array) => void;
  /** answers what is written to the channel; none has the program's interpreter */
  readonly onRequest?: ((request: Uint8Array) => Uint8Array) | undefined;
}

/**
 * Replaces the imports with which an instance is about to be made, in place: the glue also puts them into the table through which C calls
 * functions by pointer.
 */
export function filterImports(imports: Imports, calls: SystemCalls): void {
  const own = ownCalls(imports, calls);
  for (const module of ["env", "wasi_snapshot_preview1"]) {
    const members = imports[module]!;
    for (const [name, found] of Object.entries(members)) {
      if (typeof found !== "function" || OPEN.has(name)) continue;
      const replaced = own[name] ?? closed(name, found as HostFunction, calls);
      Object.assign(replaced, { sig: (found as { readonly sig?: unknown }).sig }); // its type, for the table
      members[name] = replaced;
    }
    // The glue has none of its own for these two, which tell errors of JavaScript apart.
    if (module === "env") Object.assign(members, { Jsv_GetError_import: () => 0, JsvError_Check: () => 0 });
  }
}

function closed(name: string, original: HostFunction, calls: SystemCalls): HostFunction {
  if (CHANGES.test(name)) return () => -EROFS;
  if (name.startsWith("__syscall_")) return () => -EACCES;
  if (name.startsWith("fd_")) return () => EBADF;
  return (...args) => {
    if (calls.isStarting()) return original(...args);
    throw new Stopped(failure("exception", `reached for ${name}, which the sandbox has closed`));
  };
}

function leave(): never {
  throw new Stopped(failure("exception", "ended the interpreter"));
}

function ownCalls(imports: Imports, calls: SystemCalls): Record<string, HostFunction> {
  const env = { ...imports["env"] } as Record<string, HostFunction>;
  const wasi = { ...imports["wasi_snapshot_preview1"] } as Record<string, HostFunction>;
  let answer = new Uint8Array();

  /** The bytes that a list of buffers spans. */
  const spans = (list: number, count: number): Uint8Array[] => {
    const words = new Uint32Array(calls.memory(), list, 2 * count);
    return Array.from({ length: count }, (_, i) => new Uint8Array(calls.memory(), words[2 * i], words[2 * i + 1]));
  };
  const setCount = (at: number, count: number): void => {
    new DataView(calls.memory()).setUint32(at, count, true);
  };

  return {
    __syscall_openat: (folder, path, flags, ...more) =>
      (flags! & O_WRITES) !== 0 ? -EROFS : (env["__syscall_openat"]!(folder!, path!, flags!, ...more) as number),
    fd_write: (file, list, count, written) => {
      const parts = spans(list!, count!);
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      if (file === CHANNEL && calls.onRequest !== undefined) {
        const request = new Uint8Array(length);
        let at = 0;
        for (const part of parts) {
          request.set(part, at);
          at += part.length;
        }
        answer = Uint8Array.from(calls.onRequest(request));
      } else if (file !== 1 && file !== 2) return EBADF; // what a program prints goes nowhere
      setCount(written!, length);
      return 0;
    },
    fd_read: (file, list, count, read) => {
      if (file !== 0 && file !== CHANNEL) return wasi["fd_read"]!(file!, list!, count!, read!);
      if (file === CHANNEL && calls.onRequest === undefined) return EBADF;
      let length = 0;
      if (file === CHANNEL)
        for (const part of spans(list!, count!)) {
          const taken = answer.subarray(0, part.length);
          part.set(taken);
          answer = answer.subarray(taken.length);
          length += taken.length;
        }
      setCount(read!, length);
      return 0;
    },
    emscripten_resize_heap: (bytes) =>
      bytes! >>> 0 > calls.memoryBytes ? 0 : env["emscripten_resize_heap"]!(Math.min(bytes!, calls.memoryBytes)),
    emscripten_get_heap_max: () => calls.memoryBytes,
    random_get: (at, length) => {
      calls.fillRandom(new Uint8Array(calls.memory(), at, length));
      return 0;
    },
    _Py_CheckEmscriptenSignals_Helper: () => {
      calls.onTick();
      return 0;
    },
    proc_exit: leave,
    exit: leave,
    _abort_js: leave,
    __assert_fail: leave,
    can_run_sync_js: () => 0, // a sleep asks whether JavaScript may run meanwhile: it waits instead
    _emscripten_system: () => -1,
    _setitimer_js: () => -1,
    _mmap_js: () => -ENOSYS,
    _munmap_js: () => 0,
    _dlopen_js: () => 0,
  };
}
