// A script that decodes with transformers.js: the same in Node and in a page. It is text, because the page has no bundler.

/** Defines `load` and `complete` on `globalThis`, of a library that is called `transformers`. */
export const TRANSFORMERS_SCRIPT = `
let model;
globalThis.load = async ({ folder, threads, dtype, device, wasmPaths }) => {
  const { env, AutoModelForCausalLM } = transformers;
  env.allowLocalModels = true;
  env.allowRemoteModels = false;
  env.useBrowserCache = false;
  env.localModelPath = "";
  const wasm = env.backends.onnx.wasm;
  if (wasmPaths) wasm.wasmPaths = wasmPaths;
  if (wasm) wasm.numThreads = threads;
  const session_options = { intraOpNumThreads: threads, graphOptimizationLevel: "all" };
  model = await AutoModelForCausalLM.from_pretrained(folder, { dtype, device, session_options });
  return { version: env.version };
};
globalThis.complete = async ({ prompt, count }) => {
  const { Tensor } = transformers;
  const wholes = (values) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  const times = [];
  const tokens = [];
  const streamer = {
    put([values]) {
      if (times.length > 0 || isPromptSeen) {
        times.push(performance.now());
        tokens.push(...values.map(Number));
      }
      isPromptSeen = true;
    },
    end() {},
  };
  let isPromptSeen = false;
  const begin = performance.now();
  await model.generate({
    input_ids: wholes(prompt),
    attention_mask: wholes(prompt.map(() => 1)),
    max_new_tokens: count,
    do_sample: false,
    eos_token_id: [-1],
    streamer,
  });
  return { tokens, begin, times };
};`;

/** What `complete` gives. */
export interface Completion {
  readonly tokens: readonly number[];
  readonly begin: number;
  readonly times: readonly number[];
}
