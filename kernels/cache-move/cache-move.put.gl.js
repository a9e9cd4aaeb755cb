// Puts a taken slot into its place: `shift` leads from the slot to the row that it was taken by.

function cacheMovePut(moved, shift) {
  return moved[(this.thread.y + shift) * this.constants.slotTexels + this.thread.x];
}
