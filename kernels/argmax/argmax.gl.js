// The largest of a row's parts, for four rows.

function argmax(parts) {
  let best = [0.0, 0.0, 0.0, 0.0];
  const none = this.constants.columns;
  for (let j = 0; j < 4; j++) {
    const at = (this.thread.x * 4 + j) * this.constants.partCount;
    let largest = -3.4e38;
    let broken = 0.0;
    best[j] = none;
    for (let part = 0; part < this.constants.partCount; part++) {
      const found = parts[at + part];
      broken = broken + found[2];
      if (found[0] > largest) {
        largest = found[0];
        best[j] = found[1];
      }
    }
    if (broken > 0.0) best[j] = none;
  }
  return best;
}
