// exp(x - largest) / total, four numbers of any rows.

function softmax(x, lines, columns) {
  const v = x[this.thread.x];
  let result = [0.0, 0.0, 0.0, 0.0];
  for (let j = 0; j < 4; j++) {
    const line = lines[quotient(this.thread.x * 4 + j, columns)];
    if (line[1] > 0.0 && v[j] > -3.4e38) {
      result[j] = Math.exp(v[j] - line[0]) / line[1];
    }
  }
  return result;
}
