// Reads the fields of a request's body. A field that is not known is refused by name, since it could have changed the result; null is
// as good as absent, as OpenAI's clients have it.

import { ApiError, invalid } from "./api-error.ts";

/** Reads one field's value. Throws an {@link ApiError} that names the field. */
export type Reader<T> = (value: unknown, name: string) => T;

/** What is read of a body: absent fields are undefined. */
export type Read<F> = { readonly [K in keyof F]?: F[K] extends Reader<infer T> ? T : never };

/** Fields that are taken and have no effect on the result. */
export const IGNORED: ReadonlySet<string> = new Set(
  "user metadata store service_tier safety_identifier prompt_cache_key prompt_cache_retention".split(" "),
);

/** Reads a body by its fields; others are refused, but for those that have no effect. */
export function readFields<F extends Readonly<Record<string, Reader<unknown>>>>(body: unknown, fields: F): Read<F> {
  const given = objectOf(body);
  const read: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || IGNORED.has(name)) continue;
    const reader = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!reader) {
      throw invalid(
        `there is no field ${JSON.stringify(shortened(name))}: kedge refuses what could change the result and is not known`,
        shortened(name),
        "unknown_parameter",
      );
    }
    read[name] = reader(value, name);
  }
  return read as Read<F>;
}

/** The members of an object. */
export function objectOf(value: unknown, name?: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid(`${name ?? "the body"} is ${shown(value)}: wanted an object`, name);
}

/** A value in a message. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return shortened(typeof value === "string" ? JSON.stringify(value) : String(value));
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function wrong(name: string, value: unknown, wanted: string): ApiError {
  return invalid(`${name} is ${shown(value)}: wanted ${wanted}`, name);
}

/** true or false. */
export const flag: Reader<boolean> = (value, name) => {
  if (typeof value === "boolean") return value;
  throw wrong(name, value, "true or false");
};

/** A text. */
export const text: Reader<string> = (value, name) => {
  if (typeof value === "string") return value;
  throw wrong(name, value, "a text");
};

/** A number for which `holds` is true. */
export const number =
  (wanted: string, holds: (value: number) => boolean): Reader<number> =>
  (value, name) => {
    if (typeof value === "number" && Number.isFinite(value) && holds(value)) return value;
    throw wrong(name, value, wanted);
  };

/** A number from `min` to `max`. */
export const within = (min: number, max: number): Reader<number> =>
  number(`a number from ${min} to ${max}`, (value) => value >= min && value <= max);

/** A whole number from `min` to `max`. */
export const whole = (min: number, max = Number.MAX_SAFE_INTEGER): Reader<number> =>
  number(
    max === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`,
    (value) => Number.isSafeInteger(value) && value >= min && value <= max,
  );

/** One of these texts. */
export const oneOf =
  <T extends string>(...texts: readonly T[]): Reader<T> =>
  (value, name) => {
    const found = texts.find((one) => one === value);
    if (found !== undefined) return found;
    throw wrong(name, value, texts.map((one) => JSON.stringify(one)).join(" or "));
  };

/** A list of 0 to `most` values. */
export const listOf =
  <T>(reader: Reader<T>, most: number): Reader<readonly T[]> =>
  (value, name) => {
    if (!Array.isArray(value)) throw wrong(name, value, "a list");
    if (value.length > most) throw wrong(name, value, `at most ${most}`);
    return value.map((item, i) => reader(item, `${name}[${i}]`));
  };

/** A field that kedge knows and does not have; `why` says what there is instead. */
export const refused =
  (why: string): Reader<never> =>
  (_, name) => {
    throw invalid(`${name}: ${why}`, name, "unsupported_parameter");
  };

/** A field that is taken only with a value that changes nothing. */
export const only =
  (holds: (value: unknown) => boolean, why: string): Reader<undefined> =>
  (value, name) => {
    if (holds(value)) return undefined;
    throw invalid(`${name} is ${shown(value)}: ${why}`, name, "unsupported_parameter");
  };
