// The target's logit minus the logarithm of the sum over all parts, for four rows. `none` is NaN, for
// rows with NaN or Infinity or nothing above -Infinity.

function tokenLogProb(parts, logits, targets, none) {
  let result = [0.0, 0.0, 0.0, 0.0];
  const wanted = targets[this.thread.x];
  for (let j = 0; j < 4; j++) {
    const row = this.thread.x * 4 + j;
    const at = row * this.constants.partCount;
    let largest = -3.4e38;
    let total = 0;
    let broken = 0.0;
    for (let part = 0; part < this.constants.partCount; part++) {
      const found = parts[at + part];
      broken = broken + found[2];
      if (found[0] > largest) {
        total = total * Math.exp(largest - found[0]) + found[1];
        largest = found[0];
      } else {
        total = total + found[1] * Math.exp(found[0] - largest);
      }
    }
    const n = row * this.constants.columns + wanted[j];
    const texel = Math.floor(n / 4);
    const four = logits[texel];
    result[j] = four[n - texel * 4] - largest - Math.log(total);
    if (broken > 0.0) result[j] = none;
    if (total <= 0.0) result[j] = none;
  }
  return result;
}
