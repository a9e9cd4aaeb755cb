// 1 if the key at position j is visible to the query at position i, else 0. kernels/attend/visible.ts is the definition.

function visible(i, queryMark, j, keyMark, window, keepWindow, sinks, segmented, keepRecent, anchorSeesAnchors) {
  if (j > i) return 0.0;
  if (window > 0.0 && i - j >= window) return 0.0;
  if (keepWindow === 0.0 && segmented === 0.0) return 1.0;
  if (j < sinks) return 1.0;
  if (keepWindow > 0.0 && i - j < keepWindow) return 1.0;
  if (segmented === 0.0) return 0.0;
  const querySegment = Math.floor(queryMark / 2.0);
  const keySegment = Math.floor(keyMark / 2.0);
  if (querySegment - keySegment <= keepRecent) return 1.0;
  if (keyMark - 2.0 * keySegment < 1.0) return 0.0;
  if (anchorSeesAnchors === 1.0) return 1.0;
  if (queryMark - 2.0 * querySegment > 0.0) return 0.0;
  return 1.0;
}
