// Python's arithmetic: ints without bounds, floats, floor division, and decimal digits rounded exactly (half to even).

import { MAX_INTEGER_BITS } from "./limits.ts";
import type { Binary } from "./syntax.ts";
import { fail, refuse } from "./template-error.ts";

type Numeric = bigint | number;

/** How many bits an integer has. */
export function bitLength(value: bigint): number {
  return value === 0n ? 0 : (value < 0n ? -value : value).toString(16).length * 4;
}

function checked(value: bigint): bigint {
  if (bitLength(value) > MAX_INTEGER_BITS) fail(`it makes an integer of more than ${MAX_INTEGER_BITS} bits`);
  return value;
}

/** An int as a float; fails if it is too large, as in Python. */
export function toFloat(value: Numeric): number {
  const float = Number(value);
  if (typeof value === "bigint" && !Number.isFinite(float)) fail("an integer is too large to be a float");
  return float;
}

/** A binary operation on two numbers. */
export function calculate(operator: Binary, a: Numeric, b: Numeric): Numeric {
  if (typeof a === "bigint" && typeof b === "bigint") {
    switch (operator) {
      case "+":
        return checked(a + b);
      case "-":
        return checked(a - b);
      case "*":
        if (bitLength(a) + bitLength(b) > 2 * MAX_INTEGER_BITS) return checked(1n << BigInt(MAX_INTEGER_BITS + 1));
        return checked(a * b);
      case "/":
        return divide(a, b);
      case "//":
        return floorDivide(a, b);
      case "%":
        return a - floorDivide(a, b) * b;
      case "**":
        return power(a, b);
      default:
        return operator satisfies never;
    }
  }
  const x = toFloat(a);
  const y = toFloat(b);
  switch (operator) {
    case "+":
      return x + y;
    case "-":
      return x - y;
    case "*":
      return x * y;
    case "/":
      return y === 0 ? failZero() : x / y;
    case "//":
      return floorDivideFloats(x, y);
    case "%":
      return remainder(x, y);
    case "**": {
      if (x === 0 && y < 0) failZero();
      if (x === 1 || y === 0) return 1; // JavaScript gives NaN for 1 ** NaN
      if (x === -1 && !Number.isFinite(y) && !Number.isNaN(y)) return 1;
      if (x < 0 && Number.isFinite(x) && Number.isFinite(y) && !Number.isInteger(y)) refuse("a complex number");
      const result = x ** y;
      if (!Number.isFinite(result) && Number.isFinite(x) && Number.isFinite(y))
        fail("a power is too large to be a float");
      return result;
    }
    default:
      return operator satisfies never;
  }
}

function failZero(): never {
  fail("it divides by zero");
}

function floorDivide(a: bigint, b: bigint): bigint {
  if (b === 0n) failZero();
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

function floorDivideFloats(x: number, y: number): number {
  if (y === 0) failZero();
  const rest = x % y;
  let quotient = (x - rest) / y;
  if (rest !== 0 && rest < 0 !== y < 0) quotient -= 1;
  if (quotient === 0) return 1 / (x / y) < 0 || x / y < 0 ? -0 : 0;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

/** Has the sign of the divisor. */
function remainder(x: number, y: number): number {
  if (y === 0) failZero();
  const rest = x % y;
  if (rest === 0) return y < 0 ? -0 : 0;
  return rest < 0 !== y < 0 ? rest + y : rest;
}

/** The float nearest to a quotient of ints, which need not fit into floats themselves. */
function divide(a: bigint, b: bigint): number {
  if (b === 0n) failZero();
  const [x, y] = [Number(a), Number(b)];
  if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) return x / y;
  const isNegative = a < 0n !== b < 0n;
  const [top, bottom] = [a < 0n ? -a : a, b < 0n ? -b : b];
  // 66 bits of the quotient and a last one that says whether anything was cut off round as the whole would.
  const shift = 66 + bitLength(bottom) - bitLength(top);
  const scaledTop = shift > 0 ? top << BigInt(shift) : top;
  const scaledBottom = shift > 0 ? bottom : bottom << BigInt(-shift);
  const quotient = ((scaledTop / scaledBottom) << 1n) | (scaledTop % scaledBottom === 0n ? 0n : 1n);
  const result = toFloat(quotient) * 2 ** -(shift + 1);
  if (!Number.isFinite(result)) fail("a quotient is too large to be a float");
  return isNegative ? -result : result;
}

function power(a: bigint, b: bigint): Numeric {
  if (b < 0n) return calculate("**", toFloat(a), toFloat(b));
  if (a === 0n || a === 1n) return b === 0n ? 1n : a;
  if (a === -1n) return b % 2n === 0n ? 1n : -1n;
  if (b > BigInt(MAX_INTEGER_BITS) || BigInt(bitLength(a) - 4) * b > BigInt(MAX_INTEGER_BITS)) {
    fail(`it makes an integer of more than ${MAX_INTEGER_BITS} bits`);
  }
  return checked(a ** b);
}

/** A finite float as an exact fraction; the denominator is a power of 2. */
function fractionOf(value: number): readonly [top: bigint, bottom: bigint] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = (exponent === 0 ? fraction : fraction | 0x10000000000000n) * (bits >> 63n === 1n ? -1n : 1n);
  const shift = Math.max(exponent, 1) - 1075;
  return shift >= 0 ? [mantissa << BigInt(shift), 1n] : [mantissa, 1n << BigInt(-shift)];
}

/** A quotient rounded to an integer, half to even. */
export function roundedQuotient(top: bigint, bottom: bigint): bigint {
  const floor = floorDivide(top, bottom);
  const twice = 2n * (top - floor * bottom);
  return twice > bottom || (twice === bottom && floor % 2n !== 0n) ? floor + 1n : floor;
}

/** `value * 10 ** digits` rounded to an integer, exactly. `digits` may be negative. */
function scaled(value: number, digits: number): bigint {
  const [top, bottom] = fractionOf(value);
  const factor = 10n ** BigInt(Math.abs(digits));
  return digits >= 0 ? roundedQuotient(top * factor, bottom) : roundedQuotient(top, bottom * factor);
}

/** A finite float of 0 or more with so many digits after the point. */
export function fixedDigits(value: number, digits: number): string {
  const text = scaled(value, digits)
    .toString()
    .padStart(digits + 1, "0");
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** A finite float of 0 or more as so many significant digits and the exponent of the first. */
export function significantDigits(
  value: number,
  count: number,
): { readonly digits: string; readonly exponent: number } {
  if (value === 0) return { digits: "0".repeat(count), exponent: 0 };
  let exponent = Number(value.toExponential().split("e")[1]);
  let digits = scaled(value, count - 1 - exponent).toString();
  if (digits.length > count) {
    exponent++;
    digits = scaled(value, count - 1 - exponent).toString();
  }
  return { digits, exponent };
}

/** Python's `round(value, digits)`. */
export function roundFloat(value: number, digits: number): number {
  if (!Number.isFinite(value) || digits > 323) return value;
  if (digits < -308) return value < 0 ? -0 : 0;
  const magnitude = scaled(Math.abs(value), digits);
  const result = Number(`${magnitude}e${-digits}`);
  if (!Number.isFinite(result)) fail("a rounded value is too large to be a float");
  return value < 0 || Object.is(value, -0) ? -result : result;
}

/** Python's `round(value, digits)` of an int. */
export function roundInt(value: bigint, digits: number): bigint {
  if (digits >= 0) return value;
  if (-digits > bitLength(value)) return 0n;
  const factor = 10n ** BigInt(-digits);
  return roundedQuotient(value, factor) * factor;
}

/** The int of a text as Python's `int(text, base)` reads it; undefined if it is none. */
export function parseInteger(text: string, base = 10): bigint | undefined {
  const match = /^([+-]?)(?:(0[bB]|0[oO]|0[xX])(_?))?([\da-zA-Z]+(?:_[\da-zA-Z]+)*)$/.exec(text);
  if (match === null) return undefined;
  const [, sign = "", prefix = "", , written = ""] = match;
  const prefixBase = { "0b": 2, "0o": 8, "0x": 16 }[prefix.toLowerCase()];
  let digits = written;
  let radix = base;
  if (prefixBase !== undefined) {
    if (base === 0 || base === prefixBase) radix = prefixBase;
    else if (match[3] === "_") return undefined;
    else digits = prefix + written;
  }
  if (radix === 0) {
    if (/^0[0_]*[1-9]/.test(digits)) return undefined;
    radix = 10;
  }
  if (radix < 2 || radix > 36) return undefined;
  digits = digits.replaceAll("_", "");
  if (radix === 10) {
    if (!/^\d+$/.test(digits) || digits.length > 4300) return undefined;
    return sign === "-" ? -BigInt(digits) : BigInt(digits);
  }
  let value = 0n;
  for (const digit of digits) {
    const number = parseInt(digit, 36);
    if (!(number < radix)) return undefined;
    value = checked(value * BigInt(radix) + BigInt(number));
  }
  return sign === "-" ? -value : value;
}

/** The float of a text as Python's `float(text)` reads it; undefined if it is none. */
export function parseFloatText(text: string): number | undefined {
  if (/^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?$/i.test(text)) {
    return Number(text.replaceAll("_", ""));
  }
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (special === null) return undefined;
  if (special[2]?.toLowerCase() === "nan") return NaN;
  return special[1] === "-" ? -Infinity : Infinity;
}
