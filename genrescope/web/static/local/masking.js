// A recording's own sound in three parts, as the weights of an explanation say, each in its own
// phase: what `genrescope.model.explain` and `genrescope.features.masking` do.

import { Fft } from "./fft.js";
import { filterbank } from "./mel.js";
import { BLUR_BANDS, BLUR_TIMES, nearness, smooth, strongestOf } from "./smoothing.js";

const HOP_SHARE = 4; // frames overlap by three quarters
const SQUARES = 1.5; // what the squares of the windows that overlap add up to

const PARTS = {
  decided: (mask) => Math.max(mask, 0),
  indifferent: (mask) => 1 - Math.abs(mask),
  against: (mask) => Math.max(-mask, 0),
};

/**
 * What decided, as a mask over a clip's features: (nBins, nFrames) row by row, -1 (speaks against)
 * to 1 (decided), 0 where it is silent.
 * @param {number[][]} cells weights, a row for each band, lowest first
 * @param {Int32Array} frames which frames of the clip are not silent
 */
export function maskOf(cells, frames, { nBins, nFrames }) {
  const along = (length, nCells, blur) =>
    Array.from({ length }, (_, i) => nearness(((i + 0.5) * nCells) / length, nCells, blur));
  const rows = smooth(
    cells,
    along(nBins, cells.length, BLUR_BANDS),
    along(frames.length, cells[0].length, BLUR_TIMES),
  );
  const strongest = strongestOf(rows);
  const mask = new Float64Array(nBins * nFrames);
  rows.forEach((row, bin) => {
    row.forEach((value, i) => (mask[bin * nFrames + frames[i]] = value / strongest));
  });
  return mask;
}

/** For each Fourier bin the bands that hold it, with their shares: [[band, share], ...]. */
function bandsOfBins(config) {
  const bins = Array.from({ length: config.n_fft / 2 + 1 }, () => []);
  filterbank(config).forEach(({ first, weights }, band) => {
    weights.forEach((weight, k) => bins[first + k].push([band, weight]));
  });
  for (const bands of bins) {
    const total = bands.reduce((sum, [, weight]) => sum + weight, 0);
    for (const pair of bands) pair[1] /= total;
  }
  // Bins that no filter holds, such as 0 Hz, go with the nearest that one does.
  const covered = bins.flatMap((bands, bin) => (bands.length ? [bin] : []));
  return bins.map((bands, bin) => {
    if (bands.length) return bands;
    return bins[covered.reduce((a, b) => (Math.abs(b - bin) < Math.abs(a - bin) ? b : a))];
  });
}

/**
 * The three parts of a sound: { decided, indifferent, against }, Float32Arrays as long as it is.
 * @param {Float32Array} samples at the front end's rate
 * @param {Float64Array} mask see `maskOf`
 * @param {object} config the bundle's `features`
 */
export function partsOf(samples, mask, config) {
  const { n_fft, n_mels, hop_length } = config;
  const nFrames = mask.length / n_mels;
  const hop = n_fft / HOP_SHARE;
  const half = n_fft / 2;
  const bins = bandsOfBins(config);
  const fft = new Fft(n_fft);
  const window = Float64Array.from(
    { length: n_fft },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n_fft),
  );
  const [re, im, masked, unseen] = Array.from({ length: 4 }, () => new Float64Array(half + 1));
  const frame = new Float64Array(n_fft);
  const gains = new Float64Array(n_mels);
  const found = Object.fromEntries(
    Object.keys(PARTS).map((name) => [name, new Float32Array(samples.length)]),
  );
  // From the first frame to the last that hold a sample.
  for (let p = 1 - HOP_SHARE / 2; p * hop - half < samples.length; p++) {
    const start = p * hop - half;
    for (let i = 0; i < n_fft; i++) frame[i] = (samples[start + i] ?? 0) * window[i];
    fft.forward(frame, re, im);
    const at = Math.min(Math.max((p * hop) / hop_length, 0), nFrames - 1);
    const before = Math.floor(at);
    const after = Math.min(before + 1, nFrames - 1);
    const share = at - before;
    for (const [name, part] of Object.entries(PARTS)) {
      for (let band = 0; band < n_mels; band++) {
        const [now, then] = [mask[band * nFrames + before], mask[band * nFrames + after]];
        gains[band] = part(now) * (1 - share) + part(then) * share;
      }
      for (let bin = 0; bin <= half; bin++) {
        let gain = 0;
        for (const [band, weight] of bins[bin]) gain += weight * gains[band];
        masked[bin] = re[bin] * gain;
        unseen[bin] = im[bin] * gain;
      }
      fft.inverse(masked, unseen, frame);
      const out = found[name];
      const end = Math.min(n_fft, samples.length - start);
      for (let i = Math.max(0, -start); i < end; i++) {
        out[start + i] += (frame[i] * window[i]) / SQUARES;
      }
    }
  }
  return found;
}
