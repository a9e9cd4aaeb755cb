// How JSON objects of very many members are told from plain ones, without the code that makes them (large-values.ts).

import type { LargeMap } from "./large-values.ts";

/** An object of many members. */
export class LargeObject {
  readonly members: LargeMap<unknown>;

  constructor(members: LargeMap<unknown>) {
    this.members = members;
  }
}
