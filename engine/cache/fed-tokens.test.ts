import * as fc from "fast-check";
import { expect, it } from "vitest";
import { FedTokens } from "./fed-tokens.ts";

it("counts each token of a tree of sequences once, whatever is fed, forked, dropped and closed", () => {
  const operation = fc.record({
    kind: fc.constantFrom("add", "fork", "drop", "close"),
    which: fc.nat(),
    count: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const fed = new FedTokens();
      // The naive count: a token is an object, and sequences are lists of them.
      const sequences: object[][] = [[]];
      for (const { kind, which, count } of operations) {
        const sequence = sequences[which % Math.max(1, sequences.length)];
        if (!sequence) continue;
        if (kind === "add") {
          sequence.push(...Array.from({ length: count }, () => ({})));
          fed.add(sequence, count);
        } else if (kind === "fork") {
          const copy = [...sequence];
          sequences.push(copy);
          fed.fork(sequence, copy);
        } else if (kind === "drop") {
          const dropped = Math.min(count, sequence.length);
          sequence.length -= dropped;
          fed.drop(sequence, dropped);
        } else {
          sequences.splice(sequences.indexOf(sequence), 1);
          fed.close(sequence);
        }
        expect(fed.total).toBe(new Set(sequences.flat()).size);
      }
    }),
  );
});
