/** A declaration file that compiles with any `lib`, with and without WebGPU's types. */
export declare function selfContained(text: string): string;
/** Runs tsc into `<root>/dist/types`. Rejects with tsc's output. */
export declare function buildTypes(root: string): Promise<void>;
