// What tells the key of a clip: how strong each pitch class is, in octaves, over time, as
// `genrescope.features.chroma` finds it.

import { filterbank } from "./mel.js";
import { sum } from "./numbers.js";

/** For each note from low to high the bands near its centre: [[band, weight], ...]. */
function notesOf(config, { lowest_a_hz, n_octaves }) {
  const centres = filterbank(config).map(({ first, weights }) => {
    const total = weights.reduce((all, w, k) => all + (w * (first + k) * config.sr) / config.n_fft, 0);
    return total / Math.max(sum(weights), 1e-9);
  });
  const placeOf = (hz) => {
    if (hz <= centres[0]) return 0;
    const above = centres.findIndex((centre) => centre > hz);
    if (above < 0) return centres.length - 1;
    return above - 1 + (hz - centres[above - 1]) / (centres[above] - centres[above - 1]);
  };
  return Array.from({ length: 12 * n_octaves }, (_, note) => {
    const place = placeOf(lowest_a_hz * 2 ** (note / 12));
    const near = [Math.floor(place), Math.floor(place) + 1].filter((band) => band < centres.length);
    return near.map((band) => [band, 1 - Math.abs(band - place)]).filter(([, weight]) => weight > 0);
  });
}

/** A clip less the mean of the bands around each, (n_bins, n_frames). */
function standingOut({ data, nBins, nFrames }, around) {
  const width = 2 * around + 1;
  const out = new Float32Array(data.length);
  for (let i = 0; i < nFrames; i++) {
    for (let bin = 0; bin < nBins; bin++) {
      let total = 0;
      for (let k = bin - around; k <= bin + around; k++) {
        total += data[Math.min(Math.max(k, 0), nBins - 1) * nFrames + i];
      }
      out[bin * nFrames + i] = data[bin * nFrames + i] - total / width;
    }
  }
  return out;
}

/**
 * Strength of the pitch classes of a clip: { data, nBlocks }, float32 (2 x n_octaves, 12, n_blocks).
 * @param {object} clip standardised features { data, nBins, nFrames }
 * @param {object} config the bundle's `features`
 * @param {object} settings.chroma what genrescope.features.chroma knows besides
 */
export function chroma(clip, config, settings) {
  const { block_frames: length, around } = settings;
  const { nFrames } = clip;
  const above = standingOut(clip, around);
  const notes = notesOf(config, settings);
  const nBlocks = Math.max(1, Math.floor(nFrames / length));
  const data = new Float32Array(2 * notes.length * nBlocks);
  notes.forEach((bands, note) => {
    for (let block = 0; block < nBlocks; block++) {
      let [raised, either] = [0, 0];
      for (let i = block * length; i < (block + 1) * length; i++) {
        for (const [band, weight] of bands) {
          const value = above[band * nFrames + (i % nFrames)];
          either += weight * value;
          raised += weight * Math.max(value, 0);
        }
      }
      data[note * nBlocks + block] = raised / length;
      data[(notes.length + note) * nBlocks + block] = either / length;
    }
  });
  return { data, nBlocks };
}
