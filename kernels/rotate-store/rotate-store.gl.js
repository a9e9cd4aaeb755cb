// Four dimensions of a head of q, k or v: normed, rotated or copied. `firstHead` is where the pass's heads begin in a row of qkv;
// `shift` leads from the line written (a slot of the cache) to the row.

function rotateStore(qkv, rotation, qNorm, kNorm, shift) {
  const texels = this.constants.headTexels;
  const rotaryDims = this.constants.rotaryDims;
  const half = rotaryDims / 2;
  const row = this.thread.y + shift;
  const local = quotient(this.thread.x, texels);
  const inHead = this.thread.x - local * texels;
  const head = this.constants.firstHead + local;
  let isValue = 0.0;
  if (head >= this.constants.heads + this.constants.kvHeads) isValue = 1.0;
  let isKey = 0.0;
  if (head >= this.constants.heads) isKey = 1.0 - isValue;
  let isNormed = this.constants.isKeyNormed * isKey;
  if (head < this.constants.heads) isNormed = this.constants.isQueryNormed;
  const at = (row * (this.constants.heads + 2 * this.constants.kvHeads) + head) * texels;
  let scale = 1.0;
  if (isNormed > 0.0) {
    let squares = 0.0;
    for (let i = 0; i < this.constants.headTexels; i++) {
      const t = qkv[at + i];
      squares = squares + (t[0] * t[0] + t[1] * t[1] + t[2] * t[2] + t[3] * t[3]);
    }
    scale = 1.0 / Math.sqrt(squares / (texels * 4) + this.constants.epsilon);
  }
  const own = qkv[at + inHead];
  let result = [0.0, 0.0, 0.0, 0.0];
  for (let j = 0; j < 4; j++) {
    const dim = inHead * 4 + j;
    let value = own[j] * scale;
    if (isNormed > 0.0) {
      if (isKey > 0.0) {
        const ownKey = kNorm[inHead];
        value = value * ownKey[j];
      } else {
        const ownQuery = qNorm[inHead];
        value = value * ownQuery[j];
      }
    }
    if (dim < rotaryDims && isValue < 1.0) {
      let pair = dim;
      let partner = dim + half;
      let sign = -1.0;
      if (this.constants.interleaved > 0) {
        pair = Math.floor(dim / 2);
        partner = dim + 1;
        if (dim - 2 * pair > 0) {
          partner = dim - 1;
          sign = 1.0;
        }
      } else if (dim >= half) {
        pair = dim - half;
        partner = dim - half;
        sign = 1.0;
      }
      const partnerTexel = Math.floor(partner / 4);
      const channel = partner - partnerTexel * 4;
      const others = qkv[at + partnerTexel];
      let other = others[channel] * scale;
      if (isNormed > 0.0) {
        if (isKey > 0.0) {
          const otherKey = kNorm[partnerTexel];
          other = other * otherKey[channel];
        } else {
          const otherQuery = qNorm[partnerTexel];
          other = other * otherQuery[channel];
        }
      }
      const angle = row * rotaryDims + pair * 2;
      const angleTexel = Math.floor(angle / 4);
      const turns = rotation[angleTexel];
      const place = angle - angleTexel * 4;
      value = value * turns[place] + sign * other * turns[place + 1];
    }
    result[j] = value;
  }
  return result;
}
