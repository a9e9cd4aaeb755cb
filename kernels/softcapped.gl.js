// softcap · tanh(v / softcap), which a softcap of 0 turns off. NaN stays NaN; tanh of large numbers overflows on some drivers.

function softcapped(softcap, v) {
  let y = v;
  if (softcap > 0.0) {
    const share = v / softcap;
    if (share > 10.0) {
      y = softcap;
    } else if (share < -10.0) {
      y = 0.0 - softcap;
    } else if (share >= -10.0) {
      y = softcap * Math.tanh(share);
    }
  }
  return y;
}
