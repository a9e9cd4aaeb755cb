// y = x / sqrt(mean(x²) + epsilon), of x - mean(x) with `centered`. Each thread finds its row's mean and scale for itself.

function normalize(x) {
  const texels = this.constants.texels;
  const at = this.thread.y * texels;
  let sum = 0.0;
  for (let i = 0; i < this.constants.texels; i++) {
    const v = x[at + i];
    sum = sum + (v[0] + v[1] + v[2] + v[3]);
  }
  const mean = (sum / this.constants.dim) * this.constants.centered;
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
  return [(v[0] - mean) * scale, (v[1] - mean) * scale, (v[2] - mean) * scale, (v[3] - mean) * scale];
}
