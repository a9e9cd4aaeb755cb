// One row of a task file to a task. The format is recognised by the row's fields, whatever the file is called.

import { humanEvalXTask, kedgeTask, mbxpTask } from "./javascript-rows.ts";
import { humanEvalTask, mbppPlusTask, mbppTask } from "./python-rows.ts";
import { isRow, kindOf, RowProblem, type Row } from "./row-fields.ts";
import type { Task } from "./task.ts";

interface Format {
  readonly name: string;
  /** what its rows have, and those of formats behind it in the list lack in part */
  readonly fields: readonly string[];
  readonly read: (row: Row) => Task;
}

const formats: readonly Format[] = [
  { name: "kedge's own format", fields: ["anchor_ranges", "tests"], read: kedgeTask },
  { name: "MBXP", fields: ["language", "entry_point", "test"], read: mbxpTask },
  { name: "HumanEval and HumanEval+", fields: ["entry_point", "test"], read: humanEvalTask },
  { name: "HumanEval-X", fields: ["canonical_solution", "test"], read: humanEvalXTask },
  { name: "MBPP+", fields: ["code", "test_list", "test"], read: mbppPlusTask },
  { name: "MBPP", fields: ["text", "code", "test_list"], read: mbppTask },
  { name: "MBPP sanitized", fields: ["prompt", "code", "test_list"], read: mbppTask },
];

/**
 * The task in a row of any format.
 *
 * @throws RowProblem naming the field and what is wrong with it, or the fields of the formats
 */
export function taskOfRow(row: unknown): Task {
  if (!isRow(row)) throw new RowProblem(`is ${kindOf(row)}, wanted an object`);
  const format = formats.find(({ fields }) => fields.every((field) => Object.hasOwn(row, field)));
  if (format === undefined) throw new RowProblem(`${foundIn(row)}: wanted ${formats.map(describe).join("; ")}`);
  return format.read(row);
}

function describe({ name, fields }: Format): string {
  return `${listOf(fields)} (${name})`;
}

/** The fields of a row, the first of many. */
function foundIn(row: Row): string {
  const names = Object.keys(row);
  if (names.length === 0) return "has no fields";
  const more = names.length > 12 ? ` and ${names.length - 12} more` : "";
  return `has the fields ${listOf(names.slice(0, 12).map((name) => name.slice(0, 40)))}${more}`;
}

function listOf(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(", ");
}
