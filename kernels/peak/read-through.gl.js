// Four sums of a chunk: a line is the 16 texels of a chunk's sums, which read 64 texels each.

function readThrough(x) {
  const begin = this.thread.y * 1024 + this.thread.x;
  let a = 0.0;
  let b = 0.0;
  let c = 0.0;
  let d = 0.0;
  for (let k = 0; k < 64; k++) {
    const four = x[begin + k * 16];
    a = a + four[0];
    b = b + four[1];
    c = c + four[2];
    d = d + four[3];
  }
  return [a, b, c, d];
}
