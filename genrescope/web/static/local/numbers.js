// The few ways of counting that Python and JavaScript do not share.

/** The nearest whole number, half of one to the even one, as Python rounds. */
export function rint(x) {
  const below = Math.floor(x);
  const over = x - below;
  if (over !== 0.5) return over < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** `n` numbers from `first` to `last`, evenly spaced. */
export const linspace = (first, last, n) =>
  Float64Array.from({ length: n }, (_, i) =>
    n > 1 && i === n - 1 ? last : first + (i * (last - first)) / Math.max(n - 1, 1),
  );

/** The largest of an array's numbers, without a limit to how many there are. */
export const maximum = (x) => x.reduce((a, b) => Math.max(a, b), -Infinity);

/** The place of the first of the largest numbers. */
export function argmax(x) {
  let best = 0;
  for (let i = 1; i < x.length; i++) if (x[i] > x[best]) best = i;
  return best;
}

/** The places of an array's numbers, largest number first; equal ones stay in order. */
export const argsortDown = (x) => Array.from(x, (_, i) => i).sort((a, b) => x[b] - x[a] || a - b);

export const sum = (x) => x.reduce((a, b) => a + b, 0);

export const mean = (x) => sum(x) / x.length;

/** Standard deviation of all numbers. */
export function deviation(x) {
  const middle = mean(x);
  return Math.sqrt(x.reduce((total, value) => total + (value - middle) ** 2, 0) / x.length);
}

/** Rounded to so many digits after the point, for an answer. */
export const rounded = (x, digits) => Number(x.toFixed(digits));

/** Beginnings and ends of what is true in an array, as [start, end]. */
export function runs(mask) {
  const found = [];
  let start = -1;
  for (let i = 0; i <= mask.length; i++) {
    const on = i < mask.length && mask[i];
    if (on && start < 0) start = i;
    if (!on && start >= 0) {
      found.push([start, i]);
      start = -1;
    }
  }
  return found;
}

/** Modified Bessel function of the first kind, order 0. */
export function bessel(x) {
  let [term, total] = [1, 1];
  for (let k = 1; term > total * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    total += term;
  }
  return total;
}
