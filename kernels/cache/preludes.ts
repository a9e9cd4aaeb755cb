// The WGSL that is prepended to shaders that read a cache, whose buffer is array<Cached>. The key of a slot begins at
// key_begin(slot, kv_head), its value at value_begin(slot, kv_head). The attention shaders, which have `source_cache` and HAS_SOURCE,
// call cached(begin, i, is_source) for numbers 4i.. as vec4<f32> (`fours`, head_dim a multiple of 4) or number i as f32 (`singles`,
// any head_dim). Other shaders call decoded(cache[codes_at(..)], cache[scale_at(..)], i).

import type { CacheFormat } from "./cache.ts";
import f16 from "./f16.wgsl?raw";
import f16Store from "./f16.store.wgsl?raw";
import f16Single from "./f16.single.wgsl?raw";
import f32 from "./f32.wgsl?raw";
import f32Store from "./f32.store.wgsl?raw";
import f32Single from "./f32.single.wgsl?raw";
import int8 from "./int8.wgsl?raw";
import int8Store from "./int8.store.wgsl?raw";
import int8Single from "./int8.single.wgsl?raw";
import read from "./read.wgsl?raw";
import slots from "./slots.wgsl?raw";

/** The WGSL that reads four numbers of a head at a time. */
export const foursPreludes: Readonly<Record<CacheFormat, string>> = {
  f32: f32 + slots,
  f16: f16 + slots,
  int8: int8 + slots,
};

/** The WGSL that reads one number of a head at a time. */
export const singlesPreludes: Readonly<Record<CacheFormat, string>> = {
  f32: f32Single + slots,
  f16: f16Single + slots,
  int8: int8Single + slots,
};

/**
 * The WGSL that writes a head in slices of 64 numbers: `slice`, an array of them in workgroup memory, is the shader's, whose
 * workgroups have 64 lanes; with `singlesPreludes`.
 */
export const storePreludes: Readonly<Record<CacheFormat, string>> = {
  f32: singlesPreludes.f32 + f32Store,
  f16: singlesPreludes.f16 + f16Store,
  int8: singlesPreludes.int8 + int8Store,
};

/** What buffers of the attention shaders hold. */
export const attentionElements = {
  cache: "Cached",
  sourceCache: "Cached",
  ranges: "vec4<u32>",
  entries: "vec4<u32>",
  headBiases: "vec2<f32>",
} as const;

/** `cached`, for the attention shaders, behind either of those. */
export const attentionRead: string = read;
