// Summarizes a checkpoint: tensors that differ by their layer only are one line.

import type { TensorInfo } from "kedge/loaders";
import * as format from "./format.ts";

/** Tensors alike but for a number in their names. */
export interface TensorGroup {
  /** `model.layers.{0..5}.mlp.up_proj.weight` */
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly count: number;
  /** of all of them together */
  readonly byteLength: number;
}

/** Groups tensors over the first number in their names, in the order in which groups begin. */
export function groupTensors(tensors: Iterable<TensorInfo>): TensorGroup[] {
  const groups = new Map<string, { parts: [string, string] | undefined; numbers: number[]; all: TensorInfo[] }>();
  for (const tensor of tensors) {
    const found = /^(.*?\.|)(\d+)(\..*|)$/.exec(tensor.name);
    const key = JSON.stringify([found?.[1], found?.[3], found ? "" : tensor.name, tensor.dtype, tensor.shape]);
    const group = groups.get(key) ?? { parts: found ? [found[1]!, found[3]!] : undefined, numbers: [], all: [] };
    groups.set(key, group);
    group.all.push(tensor);
    if (found) group.numbers.push(Number(found[2]));
  }
  return [...groups.values()].map(({ parts, numbers, all }) => {
    const [first] = all as [TensorInfo];
    return {
      name: parts && all.length > 1 ? `${parts[0]}{${ranges(numbers)}}${parts[1]}` : first.name,
      dtype: first.dtype,
      shape: first.shape,
      count: all.length,
      byteLength: all.reduce((sum, { byteLength }) => sum + byteLength, 0),
    };
  });
}

/** 0,1,2,5 -> "0..2,5" */
function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run && number === run[1] + 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([begin, end]) => (begin === end ? `${begin}` : `${begin}..${end}`)).join(",");
}

/** Lines for groups: name, dtype, shape, bytes. */
export function tensorTable(groups: readonly TensorGroup[]): string[] {
  return format.table(
    groups.map(({ name, dtype, shape, count, byteLength }) => [
      name,
      dtype,
      `[${shape.join(",")}]`,
      count === 1 ? "" : `${count} x`,
      format.bytes(byteLength / count),
    ]),
    [3, 4],
  );
}

/** Bytes by dtype, the largest part first: "F16 9.4 MB". */
export function dtypeTotals(tensors: Iterable<TensorInfo>): readonly (readonly [dtype: string, byteLength: number])[] {
  const totals = new Map<string, number>();
  for (const { dtype, byteLength } of tensors) totals.set(dtype, (totals.get(dtype) ?? 0) + byteLength);
  return [...totals].sort((a, b) => b[1] - a[1]);
}

/** How many numbers the tensors hold. */
export function numbersIn(tensors: Iterable<TensorInfo>): number {
  let total = 0;
  for (const { shape } of tensors) total += shape.reduce((product, size) => product * size, 1);
  return total;
}
