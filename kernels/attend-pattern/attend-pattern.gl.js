// Four numbers of the pattern: scores (`hidden`, which is -Infinity, for keys that are not visible) or their
// softmax, which `none`, NaN, stands for where a score is NaN or Infinity.

function attendPattern(scores, sums, columns, columnTexels, scoreTexels, hidden, none) {
  const width = columns * (1 + this.constants.hasSource);
  let result = [0.0, 0.0, 0.0, 0.0];
  for (let j = 0; j < 4; j++) {
    const n = this.thread.x * 4 + j;
    const line = quotient(n, width);
    let column = n - line * width;
    let at = line * scoreTexels;
    if (column >= columns) {
      column = column - columns;
      at = at + columnTexels;
    }
    let score = -3.4e38;
    const texel = Math.floor(column / 4);
    if (texel < columnTexels) {
      const four = scores[at + texel];
      score = four[column - texel * 4];
    }
    if (this.constants.kind > 0) {
      const rowSums = sums[line];
      if (score < -3.3e38) {
        result[j] = 0.0;
      } else if (rowSums[2] > 0.0) {
        result[j] = none;
      } else {
        result[j] = Math.exp(score - rowSums[0]) / rowSums[1];
      }
    } else if (score < -3.3e38) {
      result[j] = hidden;
    } else {
      result[j] = score;
    }
  }
  return result;
}
