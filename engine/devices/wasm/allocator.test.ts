import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ALIGNMENT, Allocator } from "./allocator.ts";

describe("the allocator", () => {
  it("joins what is freed with its neighbors, whatever the order", () => {
    const allocator = new Allocator(64, 64 * 9, 64 * 9, () => false);
    const blocks = [0, 1, 2, 3].map(() => allocator.allocate(100)!);
    expect(blocks).toEqual([64, 192, 320, 448]);
    expect(allocator.allocate(1)).toBeUndefined();
    for (const i of [1, 3, 0, 2]) allocator.free(blocks[i]!, 100);
    expect(allocator.allocate(64 * 8)).toBe(64);
  });

  it("grows by what its last free range lacks, up to the limit", () => {
    const ends: number[] = [];
    const allocator = new Allocator(0, 128, 1024, (end) => ends.push(end) > 0);
    expect(allocator.allocate(64)).toBe(0);
    expect(allocator.allocate(128)).toBe(64);
    expect(ends).toEqual([192]);
    expect(allocator.freeBytes).toBe(1024 - 192);
    expect(allocator.allocate(1024 - 192 + 1)).toBeUndefined();
    expect(allocator.allocate(1024 - 192)).toBe(192);
    expect(allocator.freeBytes).toBe(0);
  });

  it("takes nothing where the engine refuses to grow", () => {
    const allocator = new Allocator(0, 64, 1024, () => false);
    expect(allocator.allocate(128)).toBeUndefined();
    expect(allocator.allocate(64)).toBe(0);
  });

  it("refuses to free twice", () => {
    const allocator = new Allocator(0, 640, 640, () => false);
    const address = allocator.allocate(128)!;
    allocator.free(address, 128);
    expect(() => allocator.free(address, 128)).toThrow(RangeError);
  });

  it("never hands out a byte twice, and gets all back", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 2000 })), { maxLength: 60 }), (steps) => {
        const allocator = new Allocator(256, 4096, 32768, () => true);
        const held: { address: number; size: number }[] = [];
        for (const [isFree, size] of steps) {
          if (isFree && held.length > 0) {
            const [block] = held.splice(size % held.length, 1);
            allocator.free(block!.address, block!.size);
            continue;
          }
          const address = allocator.allocate(size);
          if (address === undefined) continue;
          const end = address + Math.max(1, size);
          expect(address % ALIGNMENT).toBe(0);
          expect(address >= 256 && end <= 32768).toBe(true);
          for (const other of held) expect(end <= other.address || other.address + other.size <= address).toBe(true);
          held.push({ address, size: Math.max(1, size) });
        }
        for (const { address, size } of held) allocator.free(address, size);
        expect(allocator.freeBytes).toBe(32768 - 256);
      }),
    );
  });
});
