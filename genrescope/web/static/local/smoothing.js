// What a grid of weights says between the centres of its cells, as `genrescope.model.explain` does.

// Standard deviations of the Gaussian that blurs the grid, in cells.
export const BLUR_BANDS = 0.5;
export const BLUR_TIMES = 0.9;

/**
 * How much each of `nCells` counts at a place, in cells from the grid's start; they add up to 1.
 */
export function nearness(at, nCells, blur) {
  const weights = Float64Array.from({ length: nCells }, (_, cell) =>
    Math.exp(-0.5 * ((at - 0.5 - cell) / blur) ** 2),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** The grid at the places of which the nearness is given, a row for each of `bands`. */
export function smooth(cells, bands, times) {
  return bands.map((row) => {
    const along = cells[0].map((_, i) => row.reduce((sum, near, j) => sum + near * cells[j][i], 0));
    return Float64Array.from(times, (near) => along.reduce((sum, v, i) => sum + v * near[i], 0));
  });
}

/** The largest absolute value of rows of numbers; 1 if all are 0. */
export function strongestOf(rows) {
  let most = 0;
  for (const row of rows) for (const value of row) most = Math.max(most, Math.abs(value));
  return most || 1;
}
