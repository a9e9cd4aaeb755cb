// The largest logit of one part of a row [span columns], and the sum of exponentials relative to it.

function tokenLogProbParts(logits) {
  const begin = this.thread.x * this.constants.span;
  const end = Math.min(begin + this.constants.span, this.constants.columns);
  const at = this.thread.y * this.constants.columns;
  let largest = -3.4e38;
  let total = 0;
  for (let i = 0; i < this.constants.span; i++) {
    const column = begin + i;
    if (column >= end) break;
    const texel = Math.floor((at + column) / 4);
    const four = logits[texel];
    const value = four[at + column - texel * 4];
    if (value > largest) {
      total = total * Math.exp(largest - value) + 1.0;
      largest = value;
    } else {
      total = total + Math.exp(value - largest);
    }
  }
  return [largest, total, 0, 0];
}
