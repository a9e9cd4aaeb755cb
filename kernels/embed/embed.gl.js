// y[row] = scale · table[token] (+ positionTable[position]); tokens from vocabSize on are rows of `vectors`, those behind them
// `none`, which is NaN.

function embed(tokens, positions, table, positionTable, vectors, tableBegin, vectorCount, none) {
  const word = Math.floor(this.thread.y / 4);
  const fourTokens = tokens[word];
  const token = fourTokens[this.thread.y - word * 4];
  let a = 0.0;
  let b = 0.0;
  let c = 0.0;
  let d = 0.0;
  if (token >= this.constants.vocabSize + vectorCount) {
    a = none;
    b = none;
    c = none;
    d = none;
  } else if (token >= this.constants.vocabSize) {
    const v = vectors[(token - this.constants.vocabSize) * this.constants.texels + this.thread.x];
    a = v[0];
    b = v[1];
    c = v[2];
    d = v[3];
  } else {
    const w = table[(token - tableBegin) * this.constants.tableTexels + this.thread.x];
    a = w[0];
    b = w[1];
    c = w[2];
    d = w[3];
  }
  const scale = this.constants.scale;
  a = a * scale;
  b = b * scale;
  c = c * scale;
  d = d * scale;
  if (this.constants.hasPositions > 0) {
    const fourPositions = positions[word];
    const position = fourPositions[this.thread.y - word * 4];
    const p = positionTable[position * this.constants.texels + this.thread.x];
    a = a + p[0];
    b = b + p[1];
    c = c + p[2];
    d = d + p[3];
  }
  return [a, b, c, d];
}
