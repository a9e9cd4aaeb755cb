// Chooses a Map for few entries, or a table for many entries, whose code is loaded only then.

import type { StringTable } from "./string-table.ts";

const MANY = 100_000;

/** A Map, or a table where there will be so many entries. */
export async function largeTable<Value>(count: number): Promise<Map<string, Value> | StringTable<Value>> {
  if (count <= MANY) return new Map<string, Value>();
  const { StringTable } = await import("./string-table.ts");
  return new StringTable<Value>();
}
