// Four dimensions of z for one row and head: the softmax of the scores, taken on the way, times the values. `none` is
// NaN, for rows with a score of NaN or Infinity.

function attend(scores, cache, ranges, entries, sourceCache, rows, columnTexels, none) {
  const texels = this.constants.headTexels;
  const head = quotient(this.thread.x, texels);
  const inHead = this.thread.x - head * texels;
  const kvHead = quotient(head, this.constants.group);
  const range = ranges[this.constants.list * rows + this.thread.y];
  const count = range[1] - range[0];
  const sides = 1 + this.constants.hasSource;
  const line = (this.thread.y * this.constants.heads + head) * (columnTexels * sides);
  const slotTexels = 2 * this.constants.kvHeads * texels;
  const inSlot = (this.constants.kvHeads + kvHead) * texels + inHead;
  let largest = -3.4e38;
  let total = 0.0;
  let broken = 0.0;
  let a = 0.0;
  let b = 0.0;
  let c = 0.0;
  let d = 0.0;
  for (let side = 0; side < 2; side++) {
    if (side >= sides) break;
    for (let column = 0; column < columnTexels; column++) {
      if (column * 4 >= count) break;
      const four = scores[line + side * columnTexels + column];
      for (let j = 0; j < 4; j++) {
        const score = four[j];
        let isSound = 0.0;
        if (score <= 3.4028234e38) isSound = 1.0;
        broken = broken + 1.0 - isSound;
        if (score > -3.3e38 && isSound > 0.0) {
          const key = entries[range[0] + column * 4 + j];
          const at = key[0] * slotTexels + inSlot;
          let kept = 1.0;
          let share = 1.0;
          if (score > largest) {
            kept = Math.exp(Math.max(largest - score, -100.0));
            if (largest < -3.3e38) kept = 0.0;
            largest = score;
          } else {
            share = Math.exp(score - largest);
          }
          total = total * kept + share;
          if (side > 0) {
            const s = sourceCache[at];
            a = a * kept + share * s[0];
            b = b * kept + share * s[1];
            c = c * kept + share * s[2];
            d = d * kept + share * s[3];
          } else {
            const v = cache[at];
            a = a * kept + share * v[0];
            b = b * kept + share * v[1];
            c = c * kept + share * v[2];
            d = d * kept + share * v[3];
          }
        }
      }
    }
  }
  if (broken > 0.0) {
    a = none;
    b = none;
    c = none;
    d = none;
  } else if (total > 0.0) {
    a = a / total;
    b = b / total;
    c = c / total;
    d = d / total;
  }
  return [a, b, c, d];
}
