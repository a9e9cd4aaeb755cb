// Scores of four keys of a row for one head. A line of `scores` holds columnTexels texels of the row's keys and, with a second key
// source, as many for the source's. A key that is not visible gets a number below any score.

function scores(
  q,
  cache,
  ranges,
  entries,
  entriesBits,
  sourceCache,
  headBiases,
  rows,
  columnTexels,
  keepWindow,
  sinks,
  segmented,
  keepRecent,
  anchorSeesAnchors,
) {
  const texels = this.constants.headTexels;
  const row = quotient(this.thread.y, this.constants.heads);
  const head = this.thread.y - row * this.constants.heads;
  const kvHead = quotient(head, this.constants.group);
  const range = ranges[this.constants.list * rows + row];
  let isSource = 0.0;
  let column = this.thread.x;
  if (this.thread.x >= columnTexels) {
    isSource = 1.0;
    column = this.thread.x - columnTexels;
  }
  let result = [-3.4e38, -3.4e38, -3.4e38, -3.4e38];
  for (let j = 0; j < 4; j++) {
    const entry = range[0] + column * 4 + j;
    if (entry < range[1]) {
      const key = entries[entry];
      let isSeen = 0.0;
      if (isSource > 0.0) {
        const isAnchor = key[2] - 2.0 * Math.floor(key[2] / 2.0);
        if (isAnchor > 0.0 && key[1] <= range[2]) isSeen = 1.0;
      } else {
        isSeen = visible(
          range[2],
          range[3],
          key[1],
          key[2],
          this.constants.window,
          keepWindow,
          sinks,
          segmented,
          keepRecent,
          anchorSeesAnchors,
        );
      }
      if (isSeen > 0.0) {
        const at = (key[0] * 2 * this.constants.kvHeads + kvHead) * texels;
        const query = this.thread.y * texels;
        let dot = 0.0;
        for (let i = 0; i < this.constants.headTexels; i++) {
          const u = q[query + i];
          if (isSource > 0.0) {
            const s = sourceCache[at + i];
            dot = dot + (u[0] * s[0] + u[1] * s[1] + u[2] * s[2] + u[3] * s[3]);
          } else {
            const k = cache[at + i];
            dot = dot + (u[0] * k[0] + u[1] * k[1] + u[2] * k[2] + u[3] * k[3]);
          }
        }
        const score = softcapped(this.constants.softcap, dot * this.constants.scale);
        const four = entriesBits[entry];
        let bias = four[3];
        if (this.constants.hasHeadBiases > 0) {
          const headTexel = Math.floor(head / 2);
          const two = headBiases[headTexel];
          const place = (head - headTexel * 2) * 2;
          bias = bias * two[place + 1] + isSource * two[place];
        }
        result[j] = score + bias;
      }
    }
  }
  return result;
}
