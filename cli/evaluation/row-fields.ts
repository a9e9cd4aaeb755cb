// Fields of a row of a task file. Problems are sentences without the place: the reader adds file and line.

/** Longest prompt, solution or test, in UTF-16 units: MBPP+ has tests of 0.8 million, far below what would stall a machine. */
const MAX_TEXT = 1 << 20;

/** Something wrong with a row. */
export class RowProblem extends Error {
  override readonly name = "RowProblem";
}

/** An object of a task file. */
export type Row = Readonly<Record<string, unknown>>;

/** Whether a value is an object with fields. */
export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The kind of a value, for messages. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** A string. */
export function text(row: Row, field: string): string {
  return textOf(row[field], `"${field}"`);
}

/** A string that says something. */
export function nonEmptyText(row: Row, field: string): string {
  const value = text(row, field);
  if (value === "") throw new RowProblem(`"${field}" is empty`);
  return value;
}

/** A string, "" where the field is absent or null. */
export function optionalText(row: Row, field: string): string {
  return row[field] === undefined || row[field] === null ? "" : text(row, field);
}

/** An array of strings, [] where the field is absent. */
export function texts(row: Row, field: string): string[] {
  const value = row[field] ?? [];
  if (!Array.isArray(value)) throw new RowProblem(`"${field}" is ${kindOf(value)}, wanted an array`);
  return value.map((one: unknown, index) => textOf(one, `"${field}"[${index}]`));
}

/** The name of a function, as JavaScript and Python have them. */
export function functionName(row: Row, field: string): string {
  const name = text(row, field);
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name))
    throw new RowProblem(`"${field}" is ${JSON.stringify(name)}, wanted the name of a function`);
  return name;
}

function textOf(value: unknown, name: string): string {
  if (typeof value !== "string") throw new RowProblem(`${name} is ${kindOf(value)}, wanted a string`);
  if (value.length > MAX_TEXT)
    throw new RowProblem(`${name} has ${value.length} characters, more than the ${MAX_TEXT} that a task may have`);
  return value;
}
