// Four neighboring outputs of a row a thread: each texel of x is multiplied by four texels of weights, so that 5 fetches serve 16
// multiplications. Results are whole texels: outputBegin and outputStride are multiples of four.

function linear(x, weight, bias, residual, outputBegin) {
  const at = this.thread.y * this.constants.inputTexels;
  const stride = this.constants.weightTexels;
  const first = (this.thread.x * 4 - outputBegin) * stride;
  let a = 0.0;
  let b = 0.0;
  let c = 0.0;
  let d = 0.0;
  for (let i = 0; i < this.constants.inputTexels; i++) {
    const v = x[at + i];
    const e = weight[first + i];
    const f = weight[first + stride + i];
    const g = weight[first + 2 * stride + i];
    const h = weight[first + 3 * stride + i];
    a = a + (v[0] * e[0] + v[1] * e[1] + v[2] * e[2] + v[3] * e[3]);
    b = b + (v[0] * f[0] + v[1] * f[1] + v[2] * f[2] + v[3] * f[3]);
    c = c + (v[0] * g[0] + v[1] * g[1] + v[2] * g[2] + v[3] * g[3]);
    d = d + (v[0] * h[0] + v[1] * h[1] + v[2] * h[2] + v[3] * h[3]);
  }
  if (this.constants.hasBias > 0) {
    const p = bias[this.thread.x];
    a = a + p[0];
    b = b + p[1];
    c = c + p[2];
    d = d + p[3];
  }
  const code = this.constants.activation;
  const cap = this.constants.softcap;
  a = finish(code, cap, a);
  b = finish(code, cap, b);
  c = finish(code, cap, c);
  d = finish(code, cap, d);
  if (this.constants.hasResidual > 0) {
    const r = residual[this.thread.y * this.constants.lineTexels + this.thread.x];
    a = a + r[0];
    b = b + r[1];
    c = c + r[2];
    d = d + r[3];
  }
  return [a, b, c, d];
}
