// y = (x - mean(x)) / sqrt(variance(x) + epsilon) · weight + bias. Each thread finds its row's mean and variance for itself.

function layerNorm(x, weight, bias) {
  const texels = this.constants.texels;
  const at = this.thread.y * texels;
  let sum = 0.0;
  for (let i = 0; i < this.constants.texels; i++) {
    const v = x[at + i];
    sum = sum + (v[0] + v[1] + v[2] + v[3]);
  }
  const mean = sum / this.constants.dim;
  let squares = 0.0;
  for (let i = 0; i < this.constants.texels; i++) {
    const u = x[at + i];
    const e = u[0] - mean;
    const f = u[1] - mean;
    const g = u[2] - mean;
    const h = u[3] - mean;
    squares = squares + (e * e + f * f + g * g + h * h);
  }
  const scale = 1.0 / Math.sqrt(squares / this.constants.dim + this.constants.epsilon);
  const v = x[at + this.thread.x];
  const w = weight[this.thread.x];
  let a = (v[0] - mean) * scale * w[0];
  let b = (v[1] - mean) * scale * w[1];
  let c = (v[2] - mean) * scale * w[2];
  let d = (v[3] - mean) * scale * w[3];
  if (this.constants.hasBias > 0) {
    const r = bias[this.thread.x];
    a = a + r[0];
    b = b + r[1];
    c = c + r[2];
    d = d + r[3];
  }
  return [a, b, c, d];
}
