// Any count of outputs, such as an odd vocabulary's: a thread computes four numbers of y, wherever rows begin and end.

function linearAny(x, weight, bias, residual, outputBegin) {
  let result = [0.0, 0.0, 0.0, 0.0];
  for (let j = 0; j < 4; j++) {
    const n = this.thread.x * 4 + j;
    const row = quotient(n, this.constants.outputStride);
    const column = n - row * this.constants.outputStride;
    const at = row * this.constants.inputTexels;
    const first = (column - outputBegin) * this.constants.weightTexels;
    let sum = 0.0;
    for (let i = 0; i < this.constants.inputTexels; i++) {
      const v = x[at + i];
      const w = weight[first + i];
      sum = sum + (v[0] * w[0] + v[1] * w[1] + v[2] * w[2] + v[3] * w[3]);
    }
    if (this.constants.hasBias > 0) {
      const texel = Math.floor(column / 4);
      const p = bias[texel];
      sum = sum + p[column - texel * 4];
    }
    result[j] = finish(this.constants.activation, this.constants.softcap, sum);
  }
  if (this.constants.hasResidual > 0) {
    const r = residual[this.thread.x];
    result[0] = result[0] + r[0];
    result[1] = result[1] + r[1];
    result[2] = result[2] + r[2];
    result[3] = result[3] + r[3];
  }
  return result;
}
