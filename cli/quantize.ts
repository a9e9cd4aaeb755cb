// kedge quantize: a model's folder -> the same model with int8 or int4 weights in its files, which then load at once.

import type { Command } from "commander";
import { quantizeModel } from "kedge";
import type { QuantizedFormat } from "kedge/kernels";
import { addJson, quantized, UsageError } from "./arguments.ts";
import * as format from "./format.ts";
import { findModel } from "./model-source.ts";
import type { Verb } from "./verb.ts";

interface QuantizeArguments {
  readonly format?: QuantizedFormat;
  readonly json?: boolean;
}

/** `kedge quantize MODEL OUT --format int8` */
export const quantize: Verb = {
  name: "quantize",
  configure(command: Command) {
    command
      .summary("write a model with int8 or int4 weights")
      .description(
        "Writes OUT, a new folder with the model's weights quantized: smaller, and quicker to load than with --quantize.",
      )
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .argument("<out>", "the folder to make; it must not be there yet")
      .option("--format <format>", "int8 or int4", (text) => quantized("--format", text));
    addJson(command);
  },
  async execute(terminal, [source, out], given: QuantizeArguments) {
    if (given.format === undefined) throw new UsageError("--format is not given: wanted int8 or int4");
    const kind = given.format;
    const { folder } = await findModel(source!, terminal);
    const begin = performance.now();
    const result = await terminal.withBar((bar) =>
      quantizeModel(folder, out!, {
        format: kind,
        signal: terminal.signal,
        onProgress: (done, of, tensor) => bar.update(done, of, tensor),
      }),
    );
    const seconds = (performance.now() - begin) / 1000;
    const { byteLengthBefore, byteLength, matrices, copied, leftOut } = result;
    if (given.json) {
      terminal.printJson({ model: folder.name, out, format: kind, seconds, ...result });
      return 0;
    }
    const share = ((100 * byteLength) / byteLengthBefore).toFixed(0);
    terminal.print(
      `${out}: ${format.grouped(matrices)} ${matrices === 1 ? "matrix" : "matrices"} as ${kind}, ${format.bytes(byteLength)} of weights (${share} % of ${format.bytes(byteLengthBefore)}), ${format.plural(copied.length, "other file")}`,
    );
    terminal.note(`took ${format.duration(seconds)}; try: npx kedge run ${out}`);
    if (leftOut.length > 0) {
      const some = leftOut.slice(0, 3).join(", ");
      terminal.warn(`note: left out ${format.plural(leftOut.length, "tensor")} that kedge does not use: ${some}`);
    }
    return 0;
  },
};
