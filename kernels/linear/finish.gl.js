// The end of `linear`: an activation, then softcap · tanh(v / softcap), which a softcap of 0 turns off.

function finish(code, softcap, sum) {
  let v = activation(code, sum);
  if (softcap > 0.0) {
    v = softcap * Math.tanh(Math.max(Math.min(v / softcap, 10.0), -10.0));
  }
  return v;
}
