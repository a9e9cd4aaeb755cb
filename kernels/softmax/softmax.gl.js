// exp(x - largest) / total, four numbers of any rows. `none` is NaN.

function softmax(x, sums, columns, none) {
  const v = x[this.thread.x];
  let result = [0.0, 0.0, 0.0, 0.0];
  for (let j = 0; j < 4; j++) {
    const rowSums = sums[quotient(this.thread.x * 4 + j, columns)];
    if (rowSums[2] > 0.0) {
      if (v[j] < -3.4e38) {
        result[j] = 0.0;
      } else {
        result[j] = none;
      }
    } else if (rowSums[1] > 0.0 && v[j] > -3.4e38) {
      result[j] = Math.exp(v[j] - rowSums[0]) / rowSums[1];
    }
  }
  return result;
}
