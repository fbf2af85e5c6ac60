// Slaney's mel scale: linear to 1 kHz, logarithmic above; and the filters that gather into it.

const melToHz = (mel) => (mel < 15 ? (mel * 200) / 3 : 1000 * 6.4 ** ((mel - 15) / 27));

export const hzToMel = (hz) =>
  hz < 1000 ? (hz * 3) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4);

/** Lower edge of the first filter, centres of all, upper edge of the last, Hz. */
function corners({ sr, n_mels: n, fmin, fmax }) {
  const low = hzToMel(fmin);
  const step = (hzToMel(fmax ?? sr / 2) - low) / (n + 1);
  return Float64Array.from({ length: n + 2 }, (_, i) => melToHz(low + step * i));
}

/** Where each band ends and the next begins, (n_mels + 1,), Hz. */
export function melEdges(config) {
  const hz = corners(config);
  const between = Array.from({ length: config.n_mels - 1 }, (_, i) => (hz[i + 1] + hz[i + 2]) / 2);
  return [config.fmin, ...between, config.fmax ?? config.sr / 2];
}

/**
 * Triangular filters of equal area: for each band { first, weights }, from the bin `first` on.
 * A weight of 0 before the first or behind the last is left out.
 */
export function filterbank(config) {
  const edges = corners(config);
  const { sr, n_fft, n_mels } = config;
  return Array.from({ length: n_mels }, (_, band) => {
    const [low, centre, high] = edges.subarray(band, band + 3);
    const weights = [];
    let first = 0;
    for (let bin = 0; bin <= n_fft / 2; bin++) {
      const hz = (bin * sr) / n_fft;
      const height = Math.min((hz - low) / (centre - low), (high - hz) / (high - centre));
      const weight = Math.fround(Math.max(0, height) * (2 / (high - low)));
      if (weight === 0 && weights.length) break;
      if (weight === 0) continue;
      if (!weights.length) first = bin;
      weights.push(weight);
    }
    return { first, weights: Float64Array.from(weights) };
  });
}
