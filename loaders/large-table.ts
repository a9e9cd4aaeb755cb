// Chooses a Map for few entries, or a table for many entries, whose code is loaded only then.

import type { StringTable } from "./string-table.ts";

/** The number of entries from which on a table is used in place of a Map. */
export const MANY = 100_000;

/** Values by text: a Map, or a table for many. */
export type Table<Value> = Map<string, Value> | StringTable<Value>;

/** A Map, or a table where there will be so many entries. */
export async function largeTable<Value>(count: number): Promise<Table<Value>> {
  if (count <= MANY) return new Map<string, Value>();
  const { StringTable } = await import("./string-table.ts");
  return new StringTable<Value>();
}
