// An ONNX model as nodes are added to it: tensors, operators, inputs and outputs, by name. Field numbers and types are those
// of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).

import { bytes, float, nested, text, whole, type Message } from "./protobuf.ts";

/** ONNX Runtime's own operators. */
export const MICROSOFT = "com.microsoft";

/** TensorProto.DataType of what is used here. */
const DATA_TYPES = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, f16: 10 } as const;
export type DataType = keyof typeof DATA_TYPES;

/** A tensor's shape; a name stands for a size that each run may choose. */
export type Shape = readonly (number | string)[];

/** Whole numbers, floats (as `{ float }`) and texts. */
export type Attribute = number | string | { readonly float: number } | readonly number[];

/** Says whose operator it is and what its attributes are. */
export interface NodeOptions {
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** AttributeProto.AttributeType. */
const ATTRIBUTE = { float: 1, int: 2, string: 3, ints: 7 } as const;
const IR_VERSION = 10;
const OPSET = 21;

function attributeMessage(name: string, value: Attribute): Message {
  const [fields, type] = attributeFields(value);
  return nested(5, text(1, name), fields, whole(20, type));
}

function attributeFields(value: Attribute): readonly [Message, number] {
  if (typeof value === "number") return [whole(3, value), ATTRIBUTE.int];
  if (typeof value === "string") return [bytes(4, new TextEncoder().encode(value)), ATTRIBUTE.string];
  if ("float" in value) return [float(2, value.float), ATTRIBUTE.float];
  return [value.flatMap((one) => whole(8, one)), ATTRIBUTE.ints];
}

function valueMessage(field: number, name: string, type: DataType, shape: Shape): Message {
  const dimensions = shape.flatMap((size) => nested(1, typeof size === "number" ? whole(1, size) : text(2, size)));
  return nested(field, text(1, name), nested(2, nested(1, whole(1, DATA_TYPES[type]), nested(2, dimensions))));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

/** Collects a graph; `message()` is the finished model. */
export class OnnxGraph {
  readonly #nodes: Message[] = [];
  readonly #initializers: Message[] = [];
  readonly #inputs: Message[] = [];
  readonly #outputs: Message[] = [];
  readonly #known = new Set<string>([""]);
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  #define(name: string): string {
    if (name !== "" && this.#known.has(name)) throw new RangeError(`${this.#name} has two values named "${name}"`);
    this.#known.add(name);
    return name;
  }

  /** A value that each run is given. */
  input(name: string, type: DataType, shape: Shape): string {
    this.#inputs.push(valueMessage(11, this.#define(name), type, shape));
    return name;
  }

  /** A value that each run gives back; a node or an input must have made it. */
  output(name: string, type: DataType, shape: Shape): void {
    if (!this.#known.has(name)) throw new RangeError(`${this.#name} has no value "${name}" to give back`);
    this.#outputs.push(valueMessage(12, name, type, shape));
  }

  /** A constant. Throws a RangeError where the values do not fill the shape. */
  tensor(name: string, type: DataType, shape: readonly number[], values: ArrayBufferView): string {
    const wanted =
      shape.reduce((product, size) => product * size, 1) * { f32: 4, u8: 1, i8: 1, i32: 4, i64: 8, f16: 2 }[type];
    if (values.byteLength !== wanted)
      throw new RangeError(`${name} is ${type} [${shape.join(",")}], ${wanted} bytes, but has ${values.byteLength}`);
    const sizes = shape.flatMap((size) => whole(1, size));
    const data = bytes(9, bytesOf(values));
    this.#initializers.push(nested(5, sizes, whole(2, DATA_TYPES[type]), text(8, this.#define(name)), data));
    return name;
  }

  /** An operator; returns its first output. `outputs` may have empty names for those that nobody wants. */
  node(operator: string, inputs: readonly string[], outputs: readonly string[], options: NodeOptions = {}): string {
    const unknown = inputs.find((name) => !this.#known.has(name));
    if (unknown !== undefined) throw new RangeError(`${operator} reads "${unknown}", which nothing has made`);
    const { domain = "", attributes = {} } = options;
    this.#nodes.push(
      nested(
        1,
        inputs.flatMap((name) => text(1, name)),
        outputs.flatMap((name) => text(2, this.#define(name))),
        text(3, `${operator}:${outputs[0]!}`),
        text(4, operator),
        Object.entries(attributes).flatMap(([name, value]) => attributeMessage(name, value)),
        domain === "" ? [] : text(7, domain),
      ),
    );
    return outputs[0]!;
  }

  /** The model's bytes, in pieces. */
  message(): Message {
    const parts = [this.#nodes.flat(), text(2, this.#name), this.#initializers.flat(), this.#inputs.flat()];
    const graph = nested(7, ...parts, this.#outputs.flat());
    const opsets = [nested(8, text(1, ""), whole(2, OPSET)), nested(8, text(1, MICROSOFT), whole(2, 1))];
    return [whole(1, IR_VERSION), text(2, "kedge bench/peers"), graph, ...opsets].flat();
  }
}
