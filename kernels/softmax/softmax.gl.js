// exp(x - largest) / total, four numbers of any rows.

function softmax(x, sums, columns) {
  const v = x[this.thread.x];
  let result = [0.0, 0.0, 0.0, 0.0];
  for (let j = 0; j < 4; j++) {
    const rowSums = sums[quotient(this.thread.x * 4 + j, columns)];
    if (rowSums[1] > 0.0 && v[j] > -3.4e38) {
      result[j] = Math.exp(v[j] - rowSums[0]) / rowSums[1];
    }
  }
  return result;
}
