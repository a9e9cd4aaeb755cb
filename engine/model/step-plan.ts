// Who gets how many rows of the next step: a pure function of what waits.
//
// A step serves requests with one step key, the one that was served longest ago. Among these, requests that decode go first, whole. What is
// left of the step's rows is given to prompts; while anybody decodes, of any key, that is at most `promptRows`, so that a token never
// takes longer than one such step, however long the prompts are. Of the prompts' rows an eighth is the longest-waiting prompt's; the
// rest goes to those with the fewest tokens left, so that a short prompt does not wait for a long one to be read.
//
// Invariant: in each step the request of the key that was served longest ago gets rows, so that nobody waits forever.

/** What planning knows of a request that waits. */
export interface Waiting {
  /** equal for requests that can share a step */
  readonly stepKey: string;
  /** rows that it still needs, at least 1 */
  readonly rows: number;
  /** one token for each of its sequences: it gives somebody the next token */
  readonly isDecoding: boolean;
  /** it decodes, and gets all of its rows in one step: no more than a step can hold */
  readonly isWhole?: boolean;
  /** when it was served last, or came; the least is the oldest, and no two are equal */
  readonly since: number;
}

/** Rows of a step for one request. */
export interface Share<W> {
  readonly waiting: W;
  readonly rows: number;
}

/** The sizes of steps. */
export interface StepSizes {
  /** most rows of a step */
  readonly rows: number;
  /** most rows of prompts in a step while a request decodes */
  readonly promptRows: number;
  /** false: a step serves one request, so that its numbers do not depend on others */
  readonly isShared: boolean;
}

/** The part of the prompts' rows that the longest-waiting prompt gets at least. */
const OLDEST_SHARE = 1 / 8;

/**
 * Plans a step for requests of which there is at least one; those that decode come first. `servedAt`: when each step key was served last,
 * in the time of `since`; a key that is not in it goes first.
 */
export function planShares<W extends Waiting>(
  waiting: readonly W[],
  sizes: StepSizes,
  servedAt: ReadonlyMap<string, number> = new Map(),
): readonly Share<W>[] {
  if (waiting.length === 1) return [{ waiting: waiting[0]!, rows: Math.min(waiting[0]!.rows, sizes.rows) }];
  const byAge = [...waiting].sort((one, other) => one.since - other.since);
  if (!sizes.isShared) return [{ waiting: byAge[0]!, rows: Math.min(byAge[0]!.rows, sizes.rows) }];
  const turnOf = ({ stepKey }: W) => servedAt.get(stepKey) ?? -1;
  const { stepKey: key } = byAge.reduce((first, one) => (turnOf(one) < turnOf(first) ? one : first));
  const fitting = byAge.filter(({ stepKey }) => stepKey === key);
  const oldest = fitting[0]!;
  const prompts = fitting.filter(({ isDecoding }) => !isDecoding);
  const isAnyDecoding = waiting.some(({ isDecoding }) => isDecoding);
  const mostOfPrompts = Math.min(isAnyDecoding ? sizes.promptRows : sizes.rows, sumOf(prompts));
  // A prompt that is the oldest gets its rows before those that decode fill the step.
  const decoding = shareAmong(
    fitting.filter(({ isDecoding }) => isDecoding),
    sizes.rows - (oldest.isDecoding ? 0 : mostOfPrompts),
  );
  const left = sizes.rows - decoding.reduce((sum, { rows }) => sum + rows, 0);
  return [...decoding, ...shareAmongPrompts(prompts, Math.min(left, mostOfPrompts))];
}

/** Whole requests, oldest first, as far as they fit; of one that no step could hold, what fits, unless it must be whole. */
function shareAmong<W extends Waiting>(decoding: readonly W[], most: number): Share<W>[] {
  const shares: Share<W>[] = [];
  let left = most;
  for (const waiting of decoding) {
    if (left === 0 || (waiting.rows > left && (shares.length > 0 || waiting.isWhole))) continue;
    const rows = Math.min(waiting.rows, left);
    shares.push({ waiting, rows });
    left -= rows;
  }
  return shares;
}

/** The oldest prompt's part, then the shortest first; in the order of age. */
function shareAmongPrompts<W extends Waiting>(prompts: readonly W[], most: number): Share<W>[] {
  const [oldest] = prompts;
  if (!oldest || most === 0) return [];
  const given = new Map<W, number>([[oldest, Math.min(oldest.rows, Math.ceil(most * OLDEST_SHARE))]]);
  let left = most - given.get(oldest)!;
  for (const waiting of [...prompts].sort((one, other) => one.rows - other.rows || one.since - other.since)) {
    const has = given.get(waiting) ?? 0;
    const more = Math.min(waiting.rows - has, left);
    if (more > 0) given.set(waiting, has + more);
    left -= more;
  }
  return prompts.flatMap((waiting) => (given.has(waiting) ? [{ waiting, rows: given.get(waiting)! }] : []));
}

function sumOf(waiting: readonly Waiting[]): number {
  return waiting.reduce((sum, { rows }) => sum + rows, 0);
}
