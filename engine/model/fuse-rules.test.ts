// Each rule of fusing alone: what it makes, and what must keep it from acting. The numbers are those of the open draft every time.

import { afterAll, describe, expect, test } from "vitest";
import {
  addTap,
  DIM,
  draftOf,
  fuseAndCompare,
  openBench,
  openDraft,
  outlineOf,
  type OpenDraft,
  type Part,
} from "../../tests/support/draft-run.ts";
import type { Declared, DraftEntry } from "./draft.ts";

const bench = await openBench();
afterAll(() => bench.device.dispose());

const nothing: Part = () => undefined;

/** Calls that a rule makes one of; the last one reads `first` or `qkv`, and writes x(5). */
interface RuleCase {
  readonly name: string;
  readonly producers: Part;
  readonly last: Part;
  /** what the rule makes of them */
  readonly fused: string;
  /** tensors that nothing needs any more */
  readonly between: (opened: OpenDraft) => readonly Declared[];
  /** writes to what the producers read */
  readonly overwrite?: Part;
}

const overwriteFirst: Part = ({ linear, input, first }) => linear(input, first);
const overwriteQkv: Part = ({ linearQkv, input, qkv }) => linearQkv(input, qkv);

const editInputs: Part = ({ draft, first, qkv }) => {
  addTap(draft, first, true);
  addTap(draft, qkv, true);
};

const CASES: readonly RuleCase[] = [
  {
    name: "linear, activate",
    producers: ({ linear, first, x }) => linear(first, x(2), "a", { hasBias: true }),
    last: ({ activate, x }) => activate(x(2), x(5)),
    fused: "linear",
    between: ({ x }) => [x(2)],
    overwrite: overwriteFirst,
  },
  {
    name: "linear, linear, activate with both",
    producers: ({ linear, first, x }) => {
      linear(first, x(2), "a", { hasBias: true });
      linear(first, x(3), "b");
    },
    last: ({ activate, x }) => activate(x(2), x(5), x(3)),
    fused: "gated-linear",
    between: ({ x }) => [x(2), x(3)],
    overwrite: overwriteFirst,
  },
  {
    name: "linear, add",
    producers: ({ linear, first, x }) => linear(first, x(2), "a", { activation: 1, softcap: 2 }),
    last: ({ add, second, x }) => add(second, x(2), x(5)),
    fused: "linear",
    between: ({ x }) => [x(2)],
    overwrite: overwriteFirst,
  },
  {
    name: "linear, add the other way round",
    producers: ({ linear, first, x }) => linear(first, x(2)),
    last: ({ add, second, x }) => add(x(2), second, x(5)),
    fused: "linear",
    between: ({ x }) => [x(2)],
    overwrite: overwriteFirst,
  },
  {
    name: "rms-norm, add",
    producers: ({ rmsNorm, first, x }) => rmsNorm(first, x(2)),
    last: ({ add, second, x }) => add(second, x(2), x(5)),
    fused: "rms-norm",
    between: ({ x }) => [x(2)],
    overwrite: overwriteFirst,
  },
  {
    name: "embed, positions, add",
    producers: ({ embed, selectPositions, x }) => {
      embed(x(2));
      selectPositions(x(3));
    },
    last: ({ add, x }) => add(x(2), x(3), x(5)),
    fused: "embed",
    between: ({ x }) => [x(2), x(3)],
  },
  {
    name: "normalize, scale-shift without mean",
    producers: ({ normalize, first, x }) => normalize(first, x(2), 0),
    last: ({ scaleShift, x }) => scaleShift(x(2), x(5), false, 1),
    fused: "rms-norm",
    between: ({ x }) => [x(2)],
    overwrite: overwriteFirst,
  },
  {
    name: "normalize, scale-shift, centered",
    producers: ({ normalize, first, x }) => normalize(first, x(2), 1),
    last: ({ scaleShift, x }) => scaleShift(x(2), x(5), true),
    fused: "layer-norm",
    between: ({ x }) => [x(2)],
    overwrite: overwriteFirst,
  },
  {
    name: "rotate, store",
    producers: ({ rotate, qkv, w }) => rotate(qkv, w(1), true),
    last: ({ store, w, x }) => store(w(1), x(5)),
    fused: "rotate-store",
    between: ({ w }) => [w(1)],
    overwrite: overwriteQkv,
  },
  {
    name: "scores, softmax",
    producers: ({ pattern, first, p }) => pattern(first, p(0), "scores"),
    last: ({ softmax, sumHeads, p }) => {
      softmax(p(0), p(1));
      sumHeads(p(1));
    },
    fused: "attend-pattern sum-heads",
    between: ({ p }) => [p(0)],
    overwrite: overwriteFirst,
  },
];

/** The calls of a case with something before the last and something behind it. */
function caseWith({ producers, last }: RuleCase, middle = nothing, behind = nothing): DraftEntry[] {
  return draftOf(bench, producers, middle, last, behind);
}

/** Expects that nothing is fused, and that the numbers are the same anyhow. */
async function expectOpen(entries: readonly DraftEntry[]): Promise<void> {
  expect(outlineOf(await fuseAndCompare(bench, entries))).toBe(outlineOf(entries));
}

describe.each(CASES)("$name", (one) => {
  const places = one.between(openDraft(bench)).map((_, i) => i);

  test("become one call", async () => {
    expect(outlineOf(await fuseAndCompare(bench, caseWith(one)))).toBe(`${one.fused} tap`);
  });

  test("stay apart where a tap wants or edits what lies between", async () => {
    for (const isEdited of [false, true]) {
      for (const i of places) {
        await expectOpen(caseWith(one, (opened) => addTap(opened.draft, one.between(opened)[i]!, isEdited)));
      }
    }
  });

  test("stay apart where a stage lies between", async () => {
    await expectOpen(caseWith(one, ({ draft }) => draft.stage("body")));
  });

  test("stay apart where something else reads what lies between, also after a part of it was written anew", async () => {
    for (const i of places) {
      const read: Part = (opened) => {
        const tensor = one.between(opened)[i]!;
        if (tensor.unit === "rows" && tensor.width === DIM) opened.linear(tensor, opened.second);
        else addTap(opened.draft, tensor, false);
      };
      const rewritePart: Part = (opened) => {
        const tensor = one.between(opened)[i]!;
        if (tensor.unit === "rows" && tensor.width === DIM) opened.linearPiece(opened.input, tensor);
      };
      await expectOpen(caseWith(one, nothing, read));
      await expectOpen(
        caseWith(one, nothing, (opened) => {
          rewritePart(opened);
          read(opened);
        }),
      );
    }
  });

  test("become one where what lies between is written anew before it is read", async () => {
    const rewrite: Part = (opened) => {
      for (const tensor of one.between(opened)) {
        if (tensor.unit === "patternCells") opened.pattern(opened.second, tensor, "scores");
        else if (tensor.width === DIM) opened.linear(opened.input, tensor);
        else opened.linearQkv(opened.input, tensor);
        addTap(opened.draft, tensor, false);
      }
    };
    const fused = outlineOf(await fuseAndCompare(bench, caseWith(one, nothing, rewrite)));
    expect(fused.startsWith(`${one.fused} `)).toBe(true);
  });

  test.skipIf(!one.overwrite)("stay apart where what the first read is overwritten or edited", async () => {
    await expectOpen(caseWith(one, one.overwrite));
    await expectOpen(caseWith(one, editInputs));
  });
});

const scoresAndSoftmax: Part = ({ pattern, softmax, first, p }) => {
  pattern(first, p(0), "scores");
  softmax(p(0), p(1));
};
const editScores: Part = ({ draft, pattern, softmax, first, p }) => {
  pattern(first, p(0), "scores");
  addTap(draft, p(0), true);
  softmax(p(0), p(1));
};
const weightedSum: Part = ({ attendWithPattern, x, p }) => attendWithPattern(p(1), x(5));

/** The outline of attention with something before the weighted sum. */
const fused = async (middle: Part, producers = scoresAndSoftmax) =>
  outlineOf(await fuseAndCompare(bench, draftOf(bench, producers, middle, weightedSum)));

describe("attention", () => {
  test("becomes attend, and the pattern is made only where it is read", async () => {
    expect(await fused(nothing)).toBe("attend tap");
    expect(await fused(({ draft, p }) => addTap(draft, p(1), false))).toBe("attend-pattern tap attend tap");
    expect(await fused(({ draft, p }) => addTap(draft, p(0), false))).toBe("attend-pattern tap attend tap");
    expect(await fused(({ sumHeads, p }) => sumHeads(p(1)))).toBe("attend-pattern sum-heads attend tap");
  });

  test("goes through an edited pattern, and through edited scores", async () => {
    expect(await fused(({ draft, p }) => addTap(draft, p(1), true))).toBe(
      "attend-pattern edit attend-with-pattern tap",
    );
    expect(await fused(nothing, editScores)).toBe("attend-pattern edit softmax attend-with-pattern tap");
  });

  test("keeps the pattern where queries or keys change after it was made", async () => {
    expect(await fused(overwriteFirst)).toBe("attend-pattern linear attend-with-pattern tap");
    expect(await fused(({ store, qkv, x }) => store(qkv, x(3), true))).toBe(
      "attend-pattern rotate-store attend-with-pattern tap",
    );
    expect(await fused(({ draft, first }) => addTap(draft, first, true))).toBe(
      "attend-pattern edit attend-with-pattern tap",
    );
    expect(await fused(({ draft }) => draft.stage("body"))).toBe("attend-pattern body attend-with-pattern tap");
  });
});
