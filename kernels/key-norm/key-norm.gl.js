// y[row] = the mean over key/value heads of |k|, for four rows.

function keyNorm(cache, slots, rows) {
  let result = [0.0, 0.0, 0.0, 0.0];
  for (let j = 0; j < 4; j++) {
    const n = this.constants.list * rows + this.thread.x * 4 + j;
    const word = Math.floor(n / 4);
    const four = slots[word];
    const at = four[n - word * 4] * (2 * this.constants.kvHeads * this.constants.headTexels);
    let total = 0.0;
    for (let head = 0; head < this.constants.kvHeads; head++) {
      let squares = 0.0;
      for (let i = 0; i < this.constants.headTexels; i++) {
        const k = cache[at + head * this.constants.headTexels + i];
        squares = squares + (k[0] * k[0] + k[1] * k[1] + k[2] * k[2] + k[3] * k[3]);
      }
      total = total + Math.sqrt(squares);
    }
    result[j] = total / this.constants.kvHeads;
  }
  return result;
}
