// y = a + b, texel by texel.

function add(a, b) {
  const u = a[this.thread.x];
  const v = b[this.thread.x];
  return [u[0] + v[0], u[1] + v[1], u[2] + v[2], u[3] + v[3]];
}
