// The largest number of one part of a row [span columns], its column, of equal numbers the first, and how many are NaN or Infinity.

function argmaxParts(x) {
  const begin = this.thread.x * this.constants.span;
  const end = Math.min(begin + this.constants.span, this.constants.columns);
  const at = this.thread.y * this.constants.columns;
  let largest = -3.4e38;
  let best = 0;
  let broken = 0;
  for (let i = 0; i < this.constants.span; i++) {
    const column = begin + i;
    if (column >= end) break;
    const texel = Math.floor((at + column) / 4);
    const four = x[texel];
    const value = four[at + column - texel * 4];
    let isSound = 0;
    if (value <= 3.4028234e38) isSound = 1;
    broken = broken + 1 - isSound;
    if (value > largest) {
      largest = value;
      best = column;
    }
  }
  return [largest, best, broken, 0];
}
