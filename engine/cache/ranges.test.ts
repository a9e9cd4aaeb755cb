import * as fc from "fast-check";
import { expect, it } from "vitest";
import { RangeAllocator } from "./ranges.ts";

it("never hands out a place twice, and joins what is free", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 }),
      fc.infiniteStream(fc.nat()),
      (lengths, random) => {
        const allocator = new RangeAllocator(32);
        const held: { begin: number; length: number }[] = [];
        for (const length of lengths) {
          let begin = allocator.allocate(length);
          if (begin === undefined) {
            allocator.grow(allocator.length + length);
            begin = allocator.allocate(length);
          }
          expect(begin).toBeDefined();
          expect(held.every((one) => one.begin + one.length <= begin! || begin! + length <= one.begin)).toBe(true);
          expect(begin! + length).toBeLessThanOrEqual(allocator.length);
          held.push({ begin: begin!, length });
          const next = random.next().value as number;
          if (next % 3 === 0) {
            const [gone] = held.splice(next % held.length, 1);
            allocator.release(gone!.begin, gone!.length);
          }
        }
        for (const { begin, length } of held) allocator.release(begin, length);
        expect(allocator.allocate(allocator.length)).toBe(0);
      },
    ),
  );
});
