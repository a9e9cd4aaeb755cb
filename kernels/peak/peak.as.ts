// The two kernels of peak.ts.

import { madd, shareBegin } from "../call.as";
import { MultiplyAddCall } from "../calls/multiply-add.as";
import { ReadThroughCall } from "../calls/read-through.as";

export function multiplyAdd(call: MultiplyAddCall, thread: i32, threads: i32): void {
  const x = call.x;
  const y = call.y;
  const blocks = call.count / 32;
  const steps = call.steps;
  const f = f32x4.splat(call.factor);
  const a = f32x4.splat(call.addend);
  const end = <usize>shareBegin(blocks, thread + 1, threads) * 128;
  for (let i = <usize>shareBegin(blocks, thread, threads) * 128; i < end; i += 128) {
    let v0 = v128.load(x + i);
    let v1 = v128.load(x + i, 16);
    let v2 = v128.load(x + i, 32);
    let v3 = v128.load(x + i, 48);
    let v4 = v128.load(x + i, 64);
    let v5 = v128.load(x + i, 80);
    let v6 = v128.load(x + i, 96);
    let v7 = v128.load(x + i, 112);
    for (let step: u32 = 0; step < steps; step++) {
      v0 = madd(v0, f, a);
      v1 = madd(v1, f, a);
      v2 = madd(v2, f, a);
      v3 = madd(v3, f, a);
      v4 = madd(v4, f, a);
      v5 = madd(v5, f, a);
      v6 = madd(v6, f, a);
      v7 = madd(v7, f, a);
    }
    v128.store(y + i, v0);
    v128.store(y + i, v1, 16);
    v128.store(y + i, v2, 32);
    v128.store(y + i, v3, 48);
    v128.store(y + i, v4, 64);
    v128.store(y + i, v5, 80);
    v128.store(y + i, v6, 96);
    v128.store(y + i, v7, 112);
  }
}

export function readThrough(call: ReadThroughCall, thread: i32, threads: i32): void {
  const x = call.x;
  const y = call.y;
  const end = shareBegin(call.chunks, thread + 1, threads);
  for (let chunk = shareBegin(call.chunks, thread, threads); chunk < end; chunk++) {
    const from = x + <usize>chunk * 16384;
    const to = y + <usize>chunk * 256;
    // half a line of 64 numbers at a time: eight sums
    for (let half: usize = 0; half < 256; half += 128) {
      let s0 = f32x4.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      let s4 = s0;
      let s5 = s0;
      let s6 = s0;
      let s7 = s0;
      for (let at = from + half, last = at + 16384; at < last; at += 256) {
        s0 = f32x4.add(s0, v128.load(at));
        s1 = f32x4.add(s1, v128.load(at, 16));
        s2 = f32x4.add(s2, v128.load(at, 32));
        s3 = f32x4.add(s3, v128.load(at, 48));
        s4 = f32x4.add(s4, v128.load(at, 64));
        s5 = f32x4.add(s5, v128.load(at, 80));
        s6 = f32x4.add(s6, v128.load(at, 96));
        s7 = f32x4.add(s7, v128.load(at, 112));
      }
      v128.store(to + half, s0);
      v128.store(to + half, s1, 16);
      v128.store(to + half, s2, 32);
      v128.store(to + half, s3, 48);
      v128.store(to + half, s4, 64);
      v128.store(to + half, s5, 80);
      v128.store(to + half, s6, 96);
      v128.store(to + half, s7, 112);
    }
  }
}
