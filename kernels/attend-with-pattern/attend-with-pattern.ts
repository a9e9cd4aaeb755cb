import { attentionInputs } from "../attend/samples.ts";
import { DENSE } from "../attend/visible.ts";
import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * The second half of attention with a given pattern: z = pattern · v over the keys of each row's range.
 * It serves where somebody edits a pattern. pattern [rows, heads, columns + sourceColumns], z [rows, heads, headDim]; other buffers
 * as in `attend`.
 */
export const attendWithPattern = defineKernel({
  name: "attend-with-pattern",
  buffers: {
    pattern: "read",
    cache: "cache",
    ranges: "read u32",
    entries: "read u32",
    sourceCache: "cache optional",
    z: "write",
  },
  params: {
    rows: "u32",
    heads: "u32",
    kvHeads: "u32",
    headDim: "u32",
    list: "u32",
    slotCount: "u32",
    entryCount: "u32",
    columns: "u32",
    sourceColumns: "u32",
  },
  sizes: ({ rows, heads, kvHeads, headDim, list, slotCount, entryCount, columns, sourceColumns }) => ({
    pattern: rows * heads * (columns + sourceColumns),
    cache: slotCount * 2 * kvHeads * headDim,
    ranges: (list + 1) * rows * 4,
    entries: entryCount * 4,
    sourceCache: slotCount * 2 * kvHeads * headDim,
    z: rows * heads * headDim,
  }),
  reference({ pattern, cache, ranges, entries, sourceCache, z }, params) {
    const { rows, heads, kvHeads, headDim, list, columns, sourceColumns } = params;
    for (let row = 0; row < rows; row++) {
      const begin = ranges[(list * rows + row) * 4]!;
      const end = ranges[(list * rows + row) * 4 + 1]!;
      for (let head = 0; head < heads; head++) {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const line = (row * heads + head) * (columns + sourceColumns);
        const sums = new Float64Array(headDim);
        for (let entry = begin; entry < end; entry++) {
          const value = (entries[entry * 4]! * 2 + 1) * kvHeads * headDim + kvHead * headDim;
          const share = pattern[line + entry - begin]!;
          const sourceShare = sourceCache ? pattern[line + columns + entry - begin]! : 0;
          for (let i = 0; i < headDim; i++) {
            sums[i]! += share * cache[value + i]! + (sourceCache ? sourceShare * sourceCache[value + i]! : 0);
          }
        }
        z.set(sums, (row * heads + head) * headDim);
      }
    }
  },
  bound: ({ entryCount }) => ({ absolute: 4e-6 * Math.sqrt(entryCount), relative: 1e-5 }),
  inputs: (params, random) => attentionInputs({ ...params, scale: 1, softcap: 0, ...DENSE }, random),
  samples: [
    {
      params: {
        rows: 3,
        heads: 4,
        kvHeads: 2,
        headDim: 16,
        list: 0,
        slotCount: 13,
        entryCount: 11,
        columns: 12,
        sourceColumns: 0,
      },
      absent: ["sourceCache"],
    },
    {
      params: {
        rows: 2,
        heads: 2,
        kvHeads: 2,
        headDim: 20,
        list: 1,
        slotCount: 7,
        entryCount: 5,
        columns: 5,
        sourceColumns: 5,
      },
    },
  ],
  implementations: [...wasm],
});
