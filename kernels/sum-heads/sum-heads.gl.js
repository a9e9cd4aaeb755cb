// y[row][column] = the sum over heads of pattern[row][head][column], for four numbers of any rows.

function sumHeads(pattern, columns, stride) {
  let result = [0.0, 0.0, 0.0, 0.0];
  for (let j = 0; j < 4; j++) {
    const n = this.thread.x * 4 + j;
    const row = quotient(n, columns);
    const column = n - row * columns;
    let sum = 0.0;
    for (let head = 0; head < this.constants.heads; head++) {
      const at = (row * this.constants.heads + head) * stride + column;
      const texel = Math.floor(at / 4);
      const four = pattern[texel];
      sum = sum + four[at - texel * 4];
    }
    result[j] = sum;
  }
  return result;
}
