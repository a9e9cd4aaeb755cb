// Protocol Buffers' wire format, as much of it as ONNX needs: messages are lists of byte pieces, so that a tensor's bytes
// go from where they are to the file without being copied. https://protobuf.dev/programming-guides/encoding/

/** Bytes of a message, in order. */
export type Message = readonly Uint8Array[];

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;
/** A varint has seven bits in a byte. */
const VARINT_STEP = 128;

const encoder = new TextEncoder();

/** How many bytes the pieces have together. */
export function byteLengthOf(message: Message): number {
  return message.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

function varint(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) return negativeVarint(value);
  const digits: number[] = [];
  let rest = value;
  while (rest >= VARINT_STEP) {
    digits.push((rest % VARINT_STEP) + VARINT_STEP);
    rest = Math.floor(rest / VARINT_STEP);
  }
  digits.push(rest);
  return Uint8Array.from(digits);
}

/** Negative whole numbers are ten bytes: two's complement of 64 bits. */
function negativeVarint(value: number): Uint8Array {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a whole number that a varint can hold`);
  const step = BigInt(VARINT_STEP);
  const digits: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= step) {
    digits.push(Number(rest % step) + VARINT_STEP);
    rest /= step;
  }
  digits.push(Number(rest));
  return Uint8Array.from(digits);
}

const tag = (field: number, wireType: number): Uint8Array => varint(field * 8 + wireType);

/** A whole number (int32, int64, enum). */
export function whole(field: number, value: number): Message {
  return [tag(field, VARINT), varint(value)];
}

/** A float of 32 bits. */
export function float(field: number, value: number): Message {
  return [tag(field, FIXED_32), new Uint8Array(Float32Array.of(value).buffer)];
}

/** Bytes as they are. */
export function bytes(field: number, value: Uint8Array): Message {
  return [tag(field, LENGTH_DELIMITED), varint(value.byteLength), value];
}

/** Text in UTF-8. */
export function text(field: number, value: string): Message {
  return bytes(field, encoder.encode(value));
}

/** A message within a message. */
export function nested(field: number, ...parts: readonly Message[]): Message {
  const inner = parts.flat();
  return [tag(field, LENGTH_DELIMITED), varint(byteLengthOf(inner)), ...inner];
}

/** The pieces as one array. */
export function concatenated(message: Message): Uint8Array {
  const result = new Uint8Array(byteLengthOf(message));
  let at = 0;
  for (const piece of message) {
    result.set(piece, at);
    at += piece.byteLength;
  }
  return result;
}
