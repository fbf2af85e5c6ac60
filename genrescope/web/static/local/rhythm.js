// What tells the tempo of a clip: how strongly its onsets repeat at every tempo, and its timbre, as
// `genrescope.features.rhythm` finds them.

import { Fft } from "./fft.js";
import { deviation, mean, sum } from "./numbers.js";

/** The mean of each of `n` groups of neighbouring rows: arrays of nFrames. */
function inBands({ data, nBins, nFrames }, n) {
  const rows = nBins / n;
  return Array.from({ length: n }, (_, band) => {
    const total = new Float64Array(nFrames);
    for (let row = band * rows; row < (band + 1) * rows; row++) {
      for (let i = 0; i < nFrames; i++) total[i] += data[row * nFrames + i];
    }
    return total.map((value) => value / rows);
  });
}

/** How much each band rises from frame to frame. */
function risesOf({ data, nBins, nFrames }) {
  const n = Math.max(1, nFrames - 1);
  const rises = new Float32Array(nBins * n);
  for (let bin = 0; bin < nBins; bin++) {
    for (let i = 0; i + 1 < nFrames; i++) {
      const at = bin * nFrames + i;
      rises[bin * n + i] = Math.max(0, data[at + 1] - data[at]);
    }
  }
  return { data: rises, nBins, nFrames: n };
}

/** Each value less the mean of those around it; past the ends, the last goes on. */
function withoutTrend(x, width) {
  const half = (width - 1) / 2;
  return x.map((value, i) => {
    let around = 0;
    for (let k = i - half; k <= i + half; k++) around += x[Math.min(Math.max(k, 0), x.length - 1)];
    return value - around / width;
  });
}

/** Onset strength of each band and of all, without what changes slowly. */
function onsetsOf(clip, { n_bands, trend_frames }) {
  const rises = risesOf(clip);
  return [...inBands(rises, n_bands), ...inBands(rises, 1)].map((strength) => {
    const flat = withoutTrend(strength, trend_frames);
    const middle = mean(flat);
    return flat.map((value) => value - middle);
  });
}

const ffts = new Map();

function fftOf(n) {
  if (!ffts.has(n)) ffts.set(n, new Fft(n));
  return ffts.get(n);
}

const powerOfTwo = (n) => 2 ** Math.max(4, Math.ceil(Math.log2(n)));

/** A row's value between its columns; 0 past the end. */
function valueAt(row, place, length) {
  if (place > length - 1) return 0;
  const below = Math.min(Math.floor(place), length - 2);
  const share = Math.min(place - below, 1);
  return row[below] * (1 - share) + row[below + 1] * share;
}

function spectrumOf(onsets, bpm, frameRate) {
  const n = onsets.length;
  const fft = fftOf(powerOfTwo(8 * n));
  const window = Float64Array.from(
    { length: n },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 1)) / (n + 1)),
  );
  const frame = new Float64Array(fft.n);
  onsets.forEach((value, i) => (frame[i] = value * window[i]));
  const power = new Float64Array(fft.n / 2 + 1);
  fft.power(frame, power);
  const scale = Math.sqrt(sum(window.map((w) => w * w))) * (deviation(onsets) + 1e-6);
  const magnitude = power.map((p) => Math.sqrt(p) / scale);
  return bpm.map((x) =>
    Math.log1p(valueAt(magnitude, (x / 60 / frameRate) * fft.n, magnitude.length)),
  );
}

function autocorrelationOf(onsets, bpm, frameRate, { finer: steps }) {
  const n = onsets.length;
  const fft = fftOf(powerOfTwo(2 * n));
  const frame = new Float64Array(fft.n);
  frame.set(onsets);
  const power = new Float64Array(fft.n / 2 + 1);
  fft.power(frame, power);
  // Zeros behind the spectrum: lags between frames, band-limited.
  const back = fftOf(fft.n * steps);
  const spectrum = new Float64Array(back.n / 2 + 1);
  spectrum.set(power);
  const finer = new Float64Array(back.n);
  back.inverse(spectrum, new Float64Array(spectrum.length), finer);
  const values = finer.subarray(0, n * steps).map((x, i) => (x * steps) / (n - i / steps));
  const whole = values[0] + 1e-9;
  return bpm.map((x) => {
    const lag = (60 / x) * frameRate;
    if (lag > 0.6 * n) return 0; // too few frames are left to compare
    return valueAt(values, lag * steps, values.length) / whole;
  });
}

/**
 * How strongly the onsets of a clip repeat at each tempo: (2 x (n_bands + 1), n_tempi + 2 x margin).
 * @param {object} clip standardised features { data, nBins, nFrames }
 * @param {object} rhythm of the settings
 */
export function tempogram(clip, frameRate, rhythm) {
  const onsets = onsetsOf(clip, rhythm);
  const { n_tempi, margin, lowest_bpm, bins_per_octave } = rhythm;
  const bpm = Array.from(
    { length: n_tempi + 2 * margin },
    (_, i) => lowest_bpm * 2 ** ((i - margin) / bins_per_octave),
  );
  return Float32Array.from([
    ...onsets.flatMap((row) => spectrumOf(row, bpm, frameRate)),
    ...onsets.flatMap((row) => autocorrelationOf(row, bpm, frameRate, rhythm)),
  ]);
}

/** Mean, deviation and mean rise of each band. */
export function timbre(clip, { n_timbre_bands }) {
  const bands = inBands(clip, n_timbre_bands);
  const rise = (band) =>
    mean(band.map((x, i) => Math.max(0, (i + 1 < band.length ? band[i + 1] : x) - x)));
  return Float32Array.from([...bands.map(mean), ...bands.map(deviation), ...bands.map(rise)]);
}
