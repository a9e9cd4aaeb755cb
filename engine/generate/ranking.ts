// Ranks logits without sorting all of them: the largest, the top K, and the fewest whose probabilities reach a sum (top P).
//
// One order holds everywhere: the larger logit comes first; of equal logits, the lower token. The order is total, so every selection
// is unique. A logit must be finite or -Infinity (a token that cannot be chosen; no selection returns it). NaN and +Infinity are
// refused, and so is a row of nothing but -Infinity, because a sampler that accepts them turns a broken model into fluent nonsense.

/** The error for a row of `count` logits from which no token can be chosen; devices, which look at the row, do not say why. */
export function noToken(count: number, why = "one is NaN or Infinity, or all are -Infinity"): RangeError {
  return new RangeError(`no token has a probability: of ${count} logits ${why}`);
}

/** The same error for a logit that is NaN or +Infinity. */
function noTokenFor(logits: ArrayLike<number>, token: number): RangeError {
  return noToken(logits.length, `that of token ${token} is ${logits[token]}`);
}

function isBefore(logits: Float32Array, a: number, b: number): boolean {
  const x = logits[a] as number;
  const y = logits[b] as number;
  return x > y || (x === y && a < b);
}

/** Returns the token with the largest logit of [vocabSize], the lowest of equal ones. Throws a RangeError if a logit is NaN or +Infinity, or all are -Infinity. */
export function argmax(logits: ArrayLike<number>): number {
  let best = -1;
  let largest = -Infinity;
  for (let token = 0; token < logits.length; token++) {
    const x = logits[token] as number;
    if (x <= largest) continue;
    if (!(x < Infinity)) throw noTokenFor(logits, token);
    largest = x;
    best = token;
  }
  if (best < 0) throw noToken(logits.length, "all are -Infinity");
  return best;
}

/**
 * Writes the `k` tokens with the largest logits to `out`, in order, and returns how many there are: fewer than `k` if fewer
 * are above -Infinity. One pass with a heap of k: O(V + k log k log(V/k)) on logits in random order. `out` holds `k` >= 1 or
 * more. Throws a RangeError otherwise, and if a logit is NaN or +Infinity.
 */
export function selectTopK(logits: Float32Array, k: number, out: Uint32Array): number {
  if (k < 1 || out.length < k) throw new RangeError(`cannot select ${k} tokens into an array of ${out.length}`);
  let count = 0;
  // A heap with the last of the selection at its root. `floor` is what a logit must exceed to enter.
  let floor = -Infinity;
  for (let token = 0; token < logits.length; token++) {
    const x = logits[token] as number;
    if (x <= floor) continue;
    if (!(x < Infinity)) throw noTokenFor(logits, token);
    if (count < k) {
      out[count] = token;
      siftUp(logits, out, count++);
    } else {
      out[0] = token;
      siftDown(logits, out, k);
    }
    if (count === k) floor = logits[out[0] as number] as number;
  }
  // Moving the root, the last in order, behind a shrinking heap leaves the first in order at the front.
  for (let end = count - 1; end > 0; end--) {
    const last = out[0] as number;
    out[0] = out[end] as number;
    out[end] = last;
    siftDown(logits, out, end);
  }
  return count;
}

function siftUp(logits: Float32Array, heap: Uint32Array, start: number): void {
  const token = heap[start] as number;
  let at = start;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as number;
    if (!isBefore(logits, above, token)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = token;
}

function siftDown(logits: Float32Array, heap: Uint32Array, size: number): void {
  const token = heap[0] as number;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && isBefore(logits, heap[child] as number, heap[child + 1] as number)) child++;
    const below = heap[child] as number;
    if (!isBefore(logits, token, below)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = token;
}

/**
 * Reorders `tokens[0..count)` so that its first n, in no particular order, are the smallest leading set whose weights sum to
 * at least `mass` (> 0), and returns n. The n-th token is the last of the set in order. A quickselect by mass instead of rank: O(count).
 */
export function selectMass(
  logits: Float32Array,
  weights: Float64Array,
  tokens: Uint32Array,
  count: number,
  mass: number,
): number {
  let begin = 0;
  let end = count;
  let missing = mass;
  while (begin < end) {
    const pivot = takePivot(logits, tokens, begin, end);
    let border = begin;
    let before = 0;
    for (let i = begin; i < end - 1; i++) {
      const token = tokens[i] as number;
      if (!isBefore(logits, token, pivot)) continue;
      tokens[i] = tokens[border] as number;
      tokens[border++] = token;
      before += weights[token] as number;
    }
    tokens[end - 1] = tokens[border] as number;
    tokens[border] = pivot;
    const through = before + (weights[pivot] as number);
    if (before >= missing) end = border;
    else if (through >= missing) return border + 1;
    else {
      missing -= through;
      begin = border + 1;
    }
  }
  return begin;
}

/** Returns the median of the first, middle and last token as the pivot, and moves it to the end. */
function takePivot(logits: Float32Array, tokens: Uint32Array, begin: number, end: number): number {
  const middle = (begin + end) >> 1;
  const a = tokens[begin] as number;
  const b = tokens[middle] as number;
  const c = tokens[end - 1] as number;
  const ab = isBefore(logits, a, b);
  const bc = isBefore(logits, b, c);
  const ac = isBefore(logits, a, c);
  if (ab === bc) {
    tokens[middle] = c;
    tokens[end - 1] = b;
    return b;
  }
  if (ab !== ac) {
    tokens[begin] = c;
    tokens[end - 1] = a;
    return a;
  }
  return c;
}
