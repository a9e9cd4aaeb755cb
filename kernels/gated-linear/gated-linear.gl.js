// Four neighboring outputs of a row a thread: each texel of x is multiplied by four texels of each matrix. Results are whole texels:
// outputBegin and outputStride are multiples of four.

function gatedLinear(x, gate, up, gateBias, upBias, outputBegin) {
  const at = this.thread.y * this.constants.inputTexels;
  const stride = this.constants.weightTexels;
  const first = (this.thread.x * 4 - outputBegin) * stride;
  let gates = [0.0, 0.0, 0.0, 0.0];
  let ups = [0.0, 0.0, 0.0, 0.0];
  for (let i = 0; i < this.constants.inputTexels; i++) {
    const v = x[at + i];
    const e = gate[first + i];
    const f = gate[first + stride + i];
    const g = gate[first + 2 * stride + i];
    const h = gate[first + 3 * stride + i];
    gates[0] = gates[0] + (v[0] * e[0] + v[1] * e[1] + v[2] * e[2] + v[3] * e[3]);
    gates[1] = gates[1] + (v[0] * f[0] + v[1] * f[1] + v[2] * f[2] + v[3] * f[3]);
    gates[2] = gates[2] + (v[0] * g[0] + v[1] * g[1] + v[2] * g[2] + v[3] * g[3]);
    gates[3] = gates[3] + (v[0] * h[0] + v[1] * h[1] + v[2] * h[2] + v[3] * h[3]);
    const p = up[first + i];
    const q = up[first + stride + i];
    const r = up[first + 2 * stride + i];
    const s = up[first + 3 * stride + i];
    ups[0] = ups[0] + (v[0] * p[0] + v[1] * p[1] + v[2] * p[2] + v[3] * p[3]);
    ups[1] = ups[1] + (v[0] * q[0] + v[1] * q[1] + v[2] * q[2] + v[3] * q[3]);
    ups[2] = ups[2] + (v[0] * r[0] + v[1] * r[1] + v[2] * r[2] + v[3] * r[3]);
    ups[3] = ups[3] + (v[0] * s[0] + v[1] * s[1] + v[2] * s[2] + v[3] * s[3]);
  }
  const gateBiases = gateBias[this.thread.x];
  const upBiases = upBias[this.thread.x];
  let result = [0.0, 0.0, 0.0, 0.0];
  for (let j = 0; j < 4; j++) {
    let gateSum = gates[j];
    let upSum = ups[j];
    if (this.constants.hasGateBias > 0) gateSum = gateSum + gateBiases[j];
    if (this.constants.hasUpBias > 0) upSum = upSum + upBiases[j];
    result[j] = activation(this.constants.activation, gateSum) * upSum;
  }
  return result;
}
