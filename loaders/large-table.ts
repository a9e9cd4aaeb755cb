// Where a table for many entries begins to be used in place of a Map, and what such tables and lists can do; their code
// (large-values.ts) is loaded only then.

/** The number of entries from which on a table is used in place of a Map. */
export const MANY = 100_000;

/** Values by text that are added one by one: a Map, or a table for many. */
export interface Table<Value> extends ReadonlyMap<string, Value> {
  set(name: string, value: Value): unknown;
}

/** A list of many items. */
export abstract class LargeItems implements Pick<readonly unknown[], "length" | "at"> {
  abstract readonly length: number;
  /** The item at a place, made when it is asked for. */
  abstract at(place: number): unknown;
}
