// Reads the slots that move: moved[row] = cache[moves[row][0]].

function cacheMoveTake(moves, cache) {
  const word = Math.floor(this.thread.y / 2);
  const four = moves[word];
  const slot = four[(this.thread.y - word * 2) * 2];
  return cache[slot * this.constants.slotTexels + this.thread.x];
}
