// Which part of a map is the strongest, and what people call a range of the spectrum.

/** The strongest place and its neighbours that reach half of it: [first, last]. */
export function leading(weights) {
  const most = weights.reduce((a, b) => Math.max(a, b));
  let first = weights.indexOf(most);
  let last = first;
  while (first > 0 && weights[first - 1] >= most / 2) first--;
  while (last + 1 < weights.length && weights[last + 1] >= most / 2) last++;
  return [first, last];
}

/**
 * The names of the regions that a range of the spectrum reaches into, from low to high.
 * @param {number[]} range from and to, Hz
 * @param {Array} regions each upper edge in Hz (null: none) with its name
 * @param {number} top upper edge of the last of them, as far as it is heard, Hz
 */
export function within([low, high], regions, top) {
  let below = 0;
  const names = [];
  for (const [edge, name] of regions) {
    const upper = edge ?? Infinity;
    const overlap = Math.min(high, upper) - Math.max(low, below);
    const much = overlap > 0.2 * (Math.min(upper, top) - below);
    if (much || overlap >= 0.5 * (high - low)) names.push(name);
    below = upper;
  }
  return names;
}

/** Whole seconds from one to another time, at least one: [from, to]. */
export function wholeSeconds(start, end) {
  const [first, last] = [Math.round(start), Math.round(end)];
  return first < last ? [first, last] : [Math.floor(start), Math.floor(start) + 1];
}
