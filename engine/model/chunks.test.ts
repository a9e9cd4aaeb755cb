import * as fc from "fast-check";
import { expect, it } from "vitest";
import { resolveKeeping } from "../cache/keeping.ts";
import { policies } from "../cache/policies/index.ts";
import { CachedSequence } from "../cache/sequence.ts";
import { StoredSequence } from "../cache/store.ts";
import { parseConfig } from "../../loaders/index.ts";
import { TINY } from "../../tests/support/tiny-model.ts";
import { cutIntoChunks } from "./chunks.ts";

const config = parseConfig({ ...TINY });
const kinds = [resolveKeeping(config), resolveKeeping(config, policies.window({ budget: 3 }))];

it("feeds every token once and in order, at most so many rows a step, one step key a step", () => {
  const feeds = fc.array(fc.record({ kind: fc.nat(1), length: fc.integer({ min: 1, max: 30 }) }), { minLength: 1 });
  fc.assert(
    fc.property(feeds, fc.integer({ min: 1, max: 12 }), (lengths, chunkRows) => {
      const parts = lengths.map(({ kind, length }, feed) => ({
        sequence: new CachedSequence(new StoredSequence([]), kinds[kind]!),
        tokens: Array.from({ length }, (_, i) => feed * 100 + i),
      }));
      const chunks = cutIntoChunks(parts, chunkRows);
      for (const [feed, { sequence, tokens }] of parts.entries()) {
        const fed = chunks.flatMap(({ parts: own }) => own.filter((part) => part.sequence === sequence));
        expect(fed.flatMap((part) => part.tokens)).toEqual(tokens);
        const ends = chunks.flatMap(({ outputs, parts: own }) => {
          const rows = own.flatMap((part) => part.tokens);
          return outputs.filter((output) => output.feed === feed).map(({ row }) => rows[row]);
        });
        expect(ends).toEqual([tokens.at(-1)]);
      }
      for (const { parts: own } of chunks) {
        expect(own.reduce((rows, { tokens }) => rows + tokens.length, 0)).toBeLessThanOrEqual(chunkRows);
        expect(new Set(own.map(({ sequence }) => sequence.keeping.stepKey)).size).toBe(1);
        expect(new Set(own.map(({ sequence }) => sequence)).size).toBe(own.length);
      }
    }),
  );
});
