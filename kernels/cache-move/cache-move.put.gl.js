// Writes a slot that cache-move.take.gl.js read: `shift` leads from the slot to the row of `moved`.

function cacheMovePut(moved, shift) {
  return moved[(this.thread.y + shift) * this.constants.slotTexels + this.thread.x];
}
