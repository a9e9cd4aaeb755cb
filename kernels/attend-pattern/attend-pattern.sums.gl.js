// The largest number of each row and head of scores, the sum of exponentials relative to it, and 1 if there is NaN or Infinity.

function attendPatternSums(scores, scoreTexels) {
  const at = this.thread.y * scoreTexels;
  let largest = -3.4e38;
  let total = 0.0;
  let broken = 0.0;
  for (let i = 0; i < scoreTexels; i++) {
    const four = scores[at + i];
    for (let j = 0; j < 4; j++) {
      const score = four[j];
      if (score <= 3.4028234e38) {
        if (score > largest) {
          total = total * Math.exp(Math.max(largest - score, -100.0)) + 1.0;
          largest = score;
        } else if (score > -3.3e38) {
          total = total + Math.exp(score - largest);
        }
      } else {
        broken = 1.0;
      }
    }
  }
  return [largest, total, broken, 0];
}
