// JSON objects of so many members that one object of JavaScript's would keep the thread busy when it grows.

import type { StringTable } from "./string-table.ts";

/** An object of many members. */
export class LargeObject {
  readonly members: StringTable<unknown>;

  constructor(members: StringTable<unknown>) {
    this.members = members;
  }
}
