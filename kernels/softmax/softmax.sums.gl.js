// The largest number of each row, and the sum of exponentials relative to it. The sum of a row of nothing but -Infinity is 0. The third
// number is 1 for a row with NaN or Infinity.

function softmaxSums(x, columns) {
  const at = this.thread.y * columns;
  let largest = -3.4e38;
  let total = 0;
  let broken = 0.0;
  for (let i = 0; i < columns; i++) {
    const texel = Math.floor((at + i) / 4);
    const four = x[texel];
    const value = four[at + i - texel * 4];
    if (value <= 3.4028234e38) {
      if (value > largest) {
        total = total * Math.exp(Math.max(largest - value, -100.0)) + 1.0;
        largest = value;
      } else if (value > -3.4e38) {
        total = total + Math.exp(value - largest);
      }
    } else {
      broken = 1.0;
    }
  }
  return [largest, total, broken, 0];
}
