// JSON objects with so many members that a plain JavaScript object would block the thread whenever it grows.

import type { StringTable } from "./string-table.ts";

/** An object of many members. */
export class LargeObject {
  readonly members: StringTable<unknown>;

  constructor(members: StringTable<unknown>) {
    this.members = members;
  }
}
