// The end of `linear`: an activation, then a soft cap.

function finish(code, softcap, sum) {
  return softcapped(softcap, activation(code, sum));
}
