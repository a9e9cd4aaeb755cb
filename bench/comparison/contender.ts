// What a contender is: one file that makes itself ready for a task, works a round whenever it is told to, and sleeps between.
// Each runs in a process of its own (host.ts), so that none disturbs another's memory, threads or flags.

/** The works by which contenders are compared. */
export type WorkName =
  | "gemm"
  | "row"
  | "gemm-webgpu"
  | "row-webgpu"
  | "decode"
  | "prefill"
  | "decode-webgpu"
  | "first-token"
  | "script-size";

/** Where the model lies in the forms that contenders take. */
export interface ModelFiles {
  readonly gguf: string;
  /** a Hugging Face folder, bf16 */
  readonly folder: string;
  /** the same in f32 */
  readonly wideFolder: string;
  /** a folder of the same for transformers.js */
  readonly onnxFolder: string;
  /** the same, quantized by kedge to int4 */
  readonly quantizedFolder: string;
}

/** What a contender is to do. */
export interface Task {
  readonly work: WorkName;
  /** one of the contender's own ways of doing it: a format, mostly */
  readonly variant: string;
  readonly threads: number;
  readonly files: ModelFiles;
  /** the prompt of the models' works, as text and as its tokens */
  readonly prompt: { readonly text: string; readonly tokens: readonly number[] };
  /** new tokens of a decoding round */
  readonly count: number;
}

/** What a contender says once it is ready and warm. */
export interface Ready {
  /** versions, threads, formats, flags: what it runs with, for the report */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** of an operation: |result - reference| / |reference|, in the Euclidean norm */
  readonly deviation?: number;
  /** of a model: the greedy continuation of the prompt */
  readonly tokens?: readonly number[];
  readonly text?: string;
}

/** One contender at one task. */
export interface Contender {
  prepare(task: Task): Promise<Ready>;
  /** Works, and returns what it reached, in the unit of the work. */
  round(): Promise<number>;
  dispose(): Promise<void>;
}

/** What a contender's file exports as `contender`. */
export type MakeContender = () => Contender;

/** What a host says to the runner. */
export type HostReport =
  | { readonly kind: "ready"; readonly ready: Ready }
  | { readonly kind: "round"; readonly value: number }
  | { readonly kind: "failed"; readonly message: string };
