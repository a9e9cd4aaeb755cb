// Four dimensions of z for one row and head: the sum of the keys' values, each times its number of the pattern.

function attendWithPattern(pattern, cache, ranges, entries, sourceCache, rows, columns) {
  const texels = this.constants.headTexels;
  const head = quotient(this.thread.x, texels);
  const inHead = this.thread.x - head * texels;
  const kvHead = quotient(head, this.constants.group);
  const range = ranges[this.constants.list * rows + this.thread.y];
  const count = range[1] - range[0];
  const line = (this.thread.y * this.constants.heads + head) * (columns * (1 + this.constants.hasSource));
  const slotTexels = 2 * this.constants.kvHeads * texels;
  const inSlot = (this.constants.kvHeads + kvHead) * texels + inHead;
  let a = 0.0;
  let b = 0.0;
  let c = 0.0;
  let d = 0.0;
  for (let i = 0; i < count; i++) {
    const key = entries[range[0] + i];
    const at = key[0] * slotTexels + inSlot;
    const n = line + i;
    const texel = Math.floor(n / 4);
    const four = pattern[texel];
    const share = four[n - texel * 4];
    const v = cache[at];
    a = a + share * v[0];
    b = b + share * v[1];
    c = c + share * v[2];
    d = d + share * v[3];
    if (this.constants.hasSource > 0) {
      const m = n + columns;
      const otherTexel = Math.floor(m / 4);
      const others = pattern[otherTexel];
      const other = others[m - otherTexel * 4];
      const s = sourceCache[at];
      a = a + other * s[0];
      b = b + other * s[1];
      c = c + other * s[2];
      d = d + other * s[3];
    }
  }
  return [a, b, c, d];
}
