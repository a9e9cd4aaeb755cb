// y = act(x) (· up), texel by texel.

function activate(x, up) {
  const code = this.constants.activation;
  const v = x[this.thread.x];
  let a = activation(code, v[0]);
  let b = activation(code, v[1]);
  let c = activation(code, v[2]);
  let d = activation(code, v[3]);
  if (this.constants.hasUp > 0) {
    const u = up[this.thread.x];
    a = a * u[0];
    b = b * u[1];
    c = c * u[2];
    d = d * u[3];
  }
  return [a, b, c, d];
}
