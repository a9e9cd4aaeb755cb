// A chain of products, y = x · W1ᵀ · W2ᵀ …: what an operation costs when the overhead of a run is spread over many.

import { OnnxGraph } from "./graph.ts";
import type { Message } from "./protobuf.ts";
import { addLinear, type OnnxFormat } from "./weights.ts";

/** A chain of square products as an ONNX model from "x" to "y", both [rows, size]. */
export function chainModel(rows: number, size: number, weights: readonly Float32Array[], format: OnnxFormat): Message {
  const graph = new OnnxGraph("chain");
  let value = graph.input("x", "f32", [rows, size]);
  for (const [i, values] of weights.entries()) {
    const name = i === weights.length - 1 ? "y" : `y${i}`;
    value = addLinear(graph, name, value, { values, outputs: size, inputs: size }, format);
  }
  graph.output(value, "f32", [rows, size]);
  return graph.message();
}
