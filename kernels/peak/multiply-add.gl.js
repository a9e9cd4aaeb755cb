// Only multiply-adds, four numbers a thread.

function multiplyAdd(x) {
  const four = x[this.thread.x];
  let a = four[0];
  let b = four[1];
  let c = four[2];
  let d = four[3];
  for (let step = 0; step < this.constants.steps; step++) {
    a = a * this.constants.factor + this.constants.addend;
    b = b * this.constants.factor + this.constants.addend;
    c = c * this.constants.factor + this.constants.addend;
    d = d * this.constants.factor + this.constants.addend;
  }
  return [a, b, c, d];
}
