// The end of `linear`: an activation, then softcap · tanh(v / softcap), which a softcap of 0 turns off. NaN stays NaN.

function finish(code, softcap, sum) {
  let v = activation(code, sum);
  if (softcap > 0.0) {
    const share = v / softcap;
    if (share > 10.0) {
      v = softcap;
    } else if (share < -10.0) {
      v = 0.0 - softcap;
    } else if (share >= -10.0) {
      v = softcap * Math.tanh(share);
    }
  }
  return v;
}
