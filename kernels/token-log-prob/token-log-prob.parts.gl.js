// The largest logit of one part of a row [span columns], the sum of exponentials relative to it, and 1 if there is NaN or Infinity.

function tokenLogProbParts(logits) {
  const begin = this.thread.x * this.constants.span;
  const end = Math.min(begin + this.constants.span, this.constants.columns);
  const at = this.thread.y * this.constants.columns;
  let largest = -3.4e38;
  let total = 0;
  let broken = 0.0;
  for (let i = 0; i < this.constants.span; i++) {
    const column = begin + i;
    if (column >= end) break;
    const texel = Math.floor((at + column) / 4);
    const four = logits[texel];
    const value = four[at + column - texel * 4];
    if (value <= 3.4028234e38) {
      if (value > largest) {
        total = total * Math.exp(largest - value) + 1.0;
        largest = value;
      } else if (value > -3.4e38) {
        total = total + Math.exp(value - largest);
      }
    } else {
      broken = 1.0;
    }
  }
  return [largest, total, broken, 0];
}
