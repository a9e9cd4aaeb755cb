// The largest of a row's parts, for four rows.

function argmax(parts) {
  let best = [0.0, 0.0, 0.0, 0.0];
  for (let j = 0; j < 4; j++) {
    const at = (this.thread.x * 4 + j) * this.constants.partCount;
    let largest = -3.4e38;
    for (let part = 0; part < this.constants.partCount; part++) {
      const found = parts[at + part];
      if (found[0] > largest) {
        largest = found[0];
        best[j] = found[1];
      }
    }
  }
  return best;
}
