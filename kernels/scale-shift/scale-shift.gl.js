// y = x · (weightOffset + weight) + bias, texel by texel.

function scaleShift(x, weight, bias) {
  const v = x[this.thread.y * this.constants.texels + this.thread.x];
  const w = weight[this.thread.x];
  const offset = this.constants.weightOffset;
  let a = v[0] * (offset + w[0]);
  let b = v[1] * (offset + w[1]);
  let c = v[2] * (offset + w[2]);
  let d = v[3] * (offset + w[3]);
  if (this.constants.hasBias > 0) {
    const r = bias[this.thread.x];
    a = a + r[0];
    b = b + r[1];
    c = c + r[2];
    d = d + r[3];
  }
  return [a, b, c, d];
}
