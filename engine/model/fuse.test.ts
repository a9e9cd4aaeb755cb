// Fused drafts leave the same numbers as open ones: chains, what only resembles a rule, and random drafts. Rules: fuse-rules.test.ts.

import { array, assert, asyncProperty, nat, option, record } from "fast-check";
import { afterAll, expect, test } from "vitest";
import {
  addTap,
  draftOf,
  fuseAndCompare,
  HEADS,
  openBench,
  openDraft,
  outlineOf,
  type OpenDraft,
  type Part,
} from "../../tests/support/draft-run.ts";
import type { DraftTensor } from "./draft.ts";

const bench = await openBench();
afterAll(() => bench.device.dispose());

/** A chain for several rules in a row. */
const chain: Part = ({ linear, normalize, scaleShift, add, first, second, x }) => {
  linear(first, x(1));
  normalize(x(1), x(2), 0);
  scaleShift(x(2), x(3), false);
  add(second, x(3), x(5));
};

/** Two calls of which the second is the only reader of the first, and nothing reads the second. */
const unseen: Part = ({ linear, first, second, x }) => {
  linear(first, x(0));
  linear(x(0), x(1));
  linear(first, x(5));
  linear(first, second);
};

/** x(1) is read behind the stage before it is written there: a replay that begins at the stage sees the one at the end. */
const carried: Part = ({ linear, draft, first, second, x }) => {
  linear(first, x(1));
  draft.stage("body");
  linear(x(1), second);
  linear(second, x(1));
};

/** What a rule only resembles. */
const APART: Readonly<Record<string, Part>> = {
  "activation after an activation": ({ linear, activate, first, x }) => {
    linear(first, x(2), "a", { activation: 1 });
    activate(x(2), x(5));
  },
  "activation after a soft cap": ({ linear, activate, first, x }) => {
    linear(first, x(2), "a", { softcap: 2 });
    activate(x(2), x(5));
  },
  "activation after a residual": ({ linear, activate, first, second, x }) => {
    linear(first, x(2), "a", { residual: second });
    activate(x(2), x(5));
  },
  "gate and up of different inputs": ({ linear, activate, first, second, x }) => {
    linear(first, x(2));
    linear(second, x(3), "b");
    activate(x(2), x(5), x(3));
  },
  "a second residual": ({ linear, add, first, second, x }) => {
    linear(first, x(2), "a", { residual: second });
    add(second, x(2), x(5));
  },
  "a sum with itself": ({ linear, add, first, x }) => {
    linear(first, x(2));
    add(x(2), x(2), x(5));
  },
  "a sum in place": ({ linear, add, first, second, x }) => {
    linear(first, x(2));
    add(second, x(2), second);
    linear(second, x(5));
  },
  "a piece of a product": ({ linearPiece, add, first, second, x }) => {
    linearPiece(first, x(2));
    add(second, x(2), x(5));
  },
  "an rms-norm with a bias": ({ normalize, scaleShift, first, x }) => {
    normalize(first, x(2), 0);
    scaleShift(x(2), x(5), true);
  },
  "a layer-norm with an offset": ({ normalize, scaleShift, first, x }) => {
    normalize(first, x(2), 1);
    scaleShift(x(2), x(5), false, 1);
  },
  "rotated twice": ({ rotate, store, qkv, w, x }) => {
    rotate(qkv, w(1), false);
    store(w(1), x(5), true);
  },
  "a softmax of the first row": ({ draft, pattern, softmax, attendWithPattern, first, p, x }) => {
    pattern(first, p(0), "scores");
    softmax(p(0), p(1), HEADS);
    attendWithPattern(p(1), x(5));
    addTap(draft, p(1), false);
  },
  "a softmax of weights": ({ pattern, softmax, sumHeads, first, p }) => {
    pattern(first, p(0), "pattern");
    softmax(p(0), p(1));
    sumHeads(p(1));
  },
};

test("several rules act in a row", async () => {
  expect(outlineOf(await fuseAndCompare(bench, draftOf(bench, chain)))).toBe("linear rms-norm tap");
});

test.each(Object.entries(APART))("no rule acts on %s", async (_, part) => {
  const entries = draftOf(bench, part);
  expect(outlineOf(await fuseAndCompare(bench, entries))).toEqual(outlineOf(entries));
});

test("calls that nothing sees are removed, and no others", async () => {
  expect(outlineOf(await fuseAndCompare(bench, draftOf(bench, unseen)))).toBe("linear linear tap");
});

test("what a replay from a stage finds from before is kept", async () => {
  const entries = draftOf(bench, carried);
  expect(outlineOf(await fuseAndCompare(bench, entries))).toBe(outlineOf(entries));
});

/** Chooses a number below another. */
type Pick = (below: number) => number;

const vectors = ({ x, first, second }: OpenDraft) => [x(0), x(1), x(2), x(3), first, second];
const distinct = (opened: OpenDraft, pick: Pick): [DraftTensor, DraftTensor, DraftTensor] => {
  const left = vectors(opened);
  const take = () => left.splice(pick(left.length), 1)[0]!;
  return [take(), take(), take()];
};
const two = (opened: OpenDraft, pick: Pick) => distinct(opened, pick).slice(0, 2) as [DraftTensor, DraftTensor];
const swapped = <T>(make: (i: number) => T, i: number): [T, T] => [make(i), make(1 - i)];

/** One call, tap or stage with its tensors chosen by numbers. */
const STEPS: readonly ((opened: OpenDraft, pick: Pick) => void)[] = [
  (o, pick) => o.linear(...two(o, pick), pick(2) === 0 ? "a" : "b", { hasBias: pick(2) === 0 }),
  (o, pick) => o.linear(...two(o, pick), "a", { activation: pick(3), softcap: pick(2) }),
  (o, pick) => o.linearPiece(...two(o, pick)),
  (o, pick) => o.activate(...two(o, pick)),
  (o, pick) => {
    const [x, up, y] = distinct(o, pick);
    o.activate(x, y, up);
  },
  (o, pick) => o.add(...distinct(o, pick)),
  (o, pick) => o.add(...distinct(o, pick)),
  (o, pick) => o.normalize(...two(o, pick), pick(2) === 0 ? 0 : 1),
  (o, pick) => o.scaleShift(...two(o, pick), pick(2) === 0, pick(3) === 0 ? 1 : 0),
  (o, pick) => o.rmsNorm(...two(o, pick)),
  (o, pick) => o.embed(vectors(o)[pick(6)]!),
  (o, pick) => o.selectPositions(vectors(o)[pick(6)]!),
  (o, pick) => o.linearQkv(vectors(o)[pick(6)]!, o.w(pick(2))),
  (o, pick) => o.rotate(...swapped(o.w, pick(2)), pick(2) === 0),
  (o, pick) => o.store(o.w(pick(2)), vectors(o)[pick(6)]!, pick(3) === 0),
  (o, pick) => o.pattern(vectors(o)[pick(6)]!, o.p(pick(2)), pick(4) === 0 ? "pattern" : "scores"),
  (o, pick) => o.softmax(...swapped(o.p, pick(2))),
  (o, pick) => o.attendWithPattern(o.p(pick(2)), vectors(o)[pick(6)]!),
  (o, pick) => o.sumHeads(o.p(pick(2))),
  (o, pick) => addTap(o.draft, [...vectors(o), o.w(0), o.p(0), o.p(1)][pick(9)]!, pick(2) === 0),
  ({ draft }, pick) => {
    const stage = (["body", "logits"] as const)[pick(2)]!;
    if (!draft.entries.some((entry) => entry.kind === "stage" && entry.stage === stage)) draft.stage(stage);
  },
];

/** Calls that rules are looking for, so that random drafts have many of them; by places in STEPS. */
const MOTIFS: readonly (readonly number[])[] = [
  [0, 3],
  [0, 0, 4],
  [0, 5],
  [10, 11, 5],
  [7, 8],
  [7, 8, 5],
  [9, 5],
  [12, 13, 14],
  [15, 16],
  [15, 16, 17],
  [15, 17],
];

test("random drafts leave the same numbers fused, whatever is tapped", async () => {
  let removed = 0;
  const choice = record({
    motif: option(nat(MOTIFS.length - 1)),
    steps: array(nat(STEPS.length - 1), { maxLength: 3 }),
    picks: array(nat(11), { minLength: 12, maxLength: 12 }),
    /** how many of the newest entries come after this one */
    back: nat(2),
  });
  await assert(
    asyncProperty(array(choice, { minLength: 1, maxLength: 7 }), async (choices) => {
      const opened = openDraft(bench);
      for (const { motif, steps, picks, back } of choices) {
        let next = 0;
        const pick = (below: number) => picks[next++ % picks.length]! % below;
        const { entries } = opened.draft;
        const tail = entries.splice(Math.max(0, entries.length - back));
        for (const step of [...(motif === null ? [] : MOTIFS[motif]!), ...steps]) STEPS[step]!(opened, pick);
        entries.push(...tail);
      }
      const { entries } = opened.draft;
      removed += entries.length - (await fuseAndCompare(bench, entries)).length;
    }),
    { numRuns: 300 },
  );
  expect(removed).toBeGreaterThan(300);
});
