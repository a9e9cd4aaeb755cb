// The largest number of one part of a row [span columns], and its column; of equal numbers the first.

function argmaxParts(x) {
  const begin = this.thread.x * this.constants.span;
  const end = Math.min(begin + this.constants.span, this.constants.columns);
  const at = this.thread.y * this.constants.columns;
  let largest = -3.4e38;
  let best = 0;
  for (let i = 0; i < this.constants.span; i++) {
    const column = begin + i;
    if (column >= end) break;
    const texel = Math.floor((at + column) / 4);
    const four = x[texel];
    const value = four[at + column - texel * 4];
    if (value > largest) {
      largest = value;
      best = column;
    }
  }
  return [largest, best, 0, 0];
}
