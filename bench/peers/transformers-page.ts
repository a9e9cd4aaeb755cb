// transformers.js in headless Chromium, on ONNX Runtime's WebAssembly with threads.

import type { Contender, Ready } from "../comparison/contender.ts";
import { ONNX_FILES } from "../comparison/onnx/folder.ts";
import type { OnnxFormat } from "../comparison/onnx/weights.ts";
import { openChromiumPage, versionOf, type ChromiumPage } from "./chromium-page.ts";
import { prepareDecoding } from "../comparison/decoding.ts";
import { TRANSFORMERS_SCRIPT, type Completion } from "./transformers-session.ts";

const LIBRARY = "/modules/@huggingface/transformers";
const RUNTIME = `${LIBRARY}/node_modules/onnxruntime-web/dist/`;
const IMPORTS = {
  "onnxruntime-web/webgpu": `${RUNTIME}ort.webgpu.bundle.min.mjs`,
  "onnxruntime-common": `${LIBRARY}/node_modules/onnxruntime-common/dist/esm/index.js`,
};
const SCRIPT = `import * as transformers from "${LIBRARY}/dist/transformers.web.js";${TRANSFORMERS_SCRIPT}`;

/** Makes transformers.js in a page ready for a task. */
export function contender(): Contender {
  let page: ChromiumPage | undefined;
  let prepared: Awaited<ReturnType<typeof prepareDecoding>> | undefined;
  return {
    async prepare(task) {
      const opened = await openChromiumPage(task, SCRIPT, IMPORTS);
      page = opened;
      const { dtype } = ONNX_FILES[task.variant as OnnxFormat];
      const { threads } = task;
      await opened.call("load", { folder: "/onnx", threads, dtype, device: "wasm", wasmPaths: RUNTIME });
      const settings: Ready["settings"] = {
        "transformers.js": versionOf("@huggingface/transformers"),
        "onnxruntime-web": versionOf("@huggingface/transformers/node_modules/onnxruntime-web"),
        ...{ in: opened.version, threads, dtype, device: "wasm", SIMD: true },
      };
      prepared = await prepareDecoding(task, settings, (prompt, count) =>
        opened.call<Completion>("complete", { prompt, count }),
      );
      return prepared.ready;
    },
    round: () => prepared!.round(),
    dispose: async () => page?.close(),
  };
}
