// floor(a / b) for whole numbers below 2^24. It is right even where a driver's division is off by an ulp or two.

function quotient(a, b) {
  let whole = Math.floor(a / b);
  if (whole * b > a) whole = whole - 1.0;
  if ((whole + 1.0) * b <= a) whole = whole + 1.0;
  return whole;
}
