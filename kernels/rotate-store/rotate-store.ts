import { roundHead } from "../cache/cache.ts";
import { defineKernel, shuffled } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";
import { rotateHead } from "./rotate-head.ts";

/**
 * What follows the fused projection of q, k and v: norms of heads, rotation (arXiv 2104.09864), and storing keys and values.
 * qkv [rows, heads + 2 kvHeads, headDim]; rotation [rows, rotaryDims / 2, 2], (cos, sin) of each angle; slots [list + 1, rows];
 * qNorm, kNorm [headDim]; q [rows, heads, headDim]; cache [slotCount, 2, kvHeads, headDim]. Heads of q and k are normed where qNorm
 * and kNorm are present, and their first rotaryDims numbers rotated: pair i is (i, i + rotaryDims / 2), or (2i, 2i + 1) where
 * `interleaved` is 1. q goes to `q`, k and v to the row's slot, rounded as the cache's format does.
 */
export const rotateStore = defineKernel({
  name: "rotate-store",
  buffers: {
    qkv: "read",
    rotation: "read optional",
    slots: "read u32",
    qNorm: "read optional",
    kNorm: "read optional",
    q: "write",
    cache: "cache read-write",
  },
  // `slots` is [lists, rows]: layers may keep their own lists of slots; `list` is this layer's.
  params: {
    rows: "u32",
    heads: "u32",
    kvHeads: "u32",
    headDim: "u32",
    rotaryDims: "u32",
    interleaved: "u32",
    list: "u32",
    slotCount: "u32",
    epsilon: "f32",
  },
  sizes: ({ rows, heads, kvHeads, headDim, rotaryDims, list, slotCount }) => ({
    qkv: rows * (heads + 2 * kvHeads) * headDim,
    rotation: rows * rotaryDims,
    slots: (list + 1) * rows,
    qNorm: headDim,
    kNorm: headDim,
    q: rows * heads * headDim,
    cache: slotCount * 2 * kvHeads * headDim,
  }),
  reference(buffers, params, cacheFormat = "f32") {
    const { slots, q, cache } = buffers;
    const { rows, heads, kvHeads, headDim, list } = params;
    for (let row = 0; row < rows; row++) {
      const slot = slots[list * rows + row]! * 2 * kvHeads * headDim;
      for (let head = 0; head < heads + 2 * kvHeads; head++) {
        const x = rotateHead(buffers, params, row, head);
        if (head < heads) {
          q.set(x, (row * heads + head) * headDim);
        } else {
          roundHead(cacheFormat, x);
          cache.set(x, slot + (head - heads) * headDim);
        }
      }
    }
  },
  bound: () => ({ absolute: 4e-6, relative: 1e-5 }),
  inputs: ({ rows, list, slotCount, rotaryDims }, random) => {
    const order = shuffled(slotCount, random);
    const angles = Array.from({ length: (rows * rotaryDims) / 2 }, () => random.normal() * 3);
    return {
      slots: Uint32Array.from({ length: (list + 1) * rows }, (_, i) => order[i % rows]!),
      rotation: Float64Array.from(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)])),
    };
  },
  samples: [
    {
      params: {
        rows: 3,
        heads: 4,
        kvHeads: 2,
        headDim: 16,
        rotaryDims: 16,
        interleaved: 0,
        list: 0,
        slotCount: 9,
        epsilon: 1e-6,
      },
      absent: ["qNorm", "kNorm"],
    },
    {
      params: {
        rows: 2,
        heads: 3,
        kvHeads: 3,
        headDim: 20,
        rotaryDims: 8,
        interleaved: 1,
        list: 1,
        slotCount: 5,
        epsilon: 1e-6,
      },
    },
  ],
  implementations: [...wasm],
});
