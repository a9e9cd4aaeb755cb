// y = residual + x / sqrt(mean(x²) + epsilon) · (weightOffset + weight). Each thread sums the squares of its row: a second pass would
// cost more than it saves.

function rmsNorm(x, weight, residual) {
  const texels = this.constants.texels;
  const at = this.thread.y * texels;
  let squares = 0.0;
  for (let i = 0; i < this.constants.texels; i++) {
    const v = x[at + i];
    squares = squares + (v[0] * v[0] + v[1] * v[1] + v[2] * v[2] + v[3] * v[3]);
  }
  const scale = 1.0 / Math.sqrt(squares / this.constants.dim + this.constants.epsilon);
  const offset = this.constants.weightOffset;
  const v = x[at + this.thread.x];
  const w = weight[this.thread.x];
  let a = v[0] * scale * (offset + w[0]);
  let b = v[1] * scale * (offset + w[1]);
  let c = v[2] * scale * (offset + w[2]);
  let d = v[3] * scale * (offset + w[3]);
  if (this.constants.hasResidual > 0) {
    const r = residual[at + this.thread.x];
    a = a + r[0];
    b = b + r[1];
    c = c + r[2];
    d = d + r[3];
  }
  return [a, b, c, d];
}
