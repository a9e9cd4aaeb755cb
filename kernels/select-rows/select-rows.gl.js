// y[row] = x[indices[row]].

function selectRows(x, indices) {
  const word = Math.floor(this.thread.y / 4);
  const four = indices[word];
  const index = four[this.thread.y - word * 4];
  return x[index * this.constants.texels + this.thread.x];
}
