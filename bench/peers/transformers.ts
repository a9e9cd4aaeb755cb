// transformers.js in Node, where it uses onnxruntime-node's CPU provider.

import * as transformers from "@huggingface/transformers";
import type { Contender, Ready } from "../comparison/contender.ts";
import { prepareDecoding } from "../comparison/decoding.ts";
import { ONNX_FILES } from "../comparison/onnx/folder.ts";
import type { OnnxFormat } from "../comparison/onnx/weights.ts";
import { versionOf } from "./chromium-page.ts";
import { TRANSFORMERS_SCRIPT, type Completion } from "./transformers-session.ts";

interface Session {
  load(argument: unknown): Promise<unknown>;
  complete(argument: unknown): Promise<Completion>;
}

/** Makes transformers.js in Node ready for a task. */
export function contender(): Contender {
  let prepared: Awaited<ReturnType<typeof prepareDecoding>> | undefined;
  return {
    async prepare(task) {
      new Function("transformers", TRANSFORMERS_SCRIPT)(transformers);
      const { load, complete } = globalThis as unknown as Session;
      const { dtype } = ONNX_FILES[task.variant as OnnxFormat];
      await load({ folder: task.files.onnxFolder, threads: task.threads, dtype, device: "cpu" });
      const settings: Ready["settings"] = {
        "transformers.js": versionOf("@huggingface/transformers"),
        "onnxruntime-node": versionOf("onnxruntime-node"),
        ...{ threads: task.threads, dtype, device: "cpu" },
      };
      prepared = await prepareDecoding(task, settings, (prompt, count) => complete({ prompt, count }));
      return prepared.ready;
    },
    round: () => prepared!.round(),
    dispose: () => Promise.resolve(),
  };
}
