// A clip's features on their way to the net: without silences, standardised, cut into windows.

import { linspace, maximum, rint, runs } from "./numbers.js";

/** Which frames are outside of silences; all of a clip that is silent throughout. */
function sounding({ data, nBins, nFrames }, frameRate, { silent_db, shortest_s }) {
  const loudest = new Float32Array(nFrames).fill(-Infinity);
  for (let i = 0; i < nBins * nFrames; i++) {
    const frame = i % nFrames;
    if (data[i] > loudest[frame]) loudest[frame] = data[i];
  }
  const least = maximum(loudest) - silent_db;
  const sounds = new Array(nFrames).fill(true);
  for (const [start, end] of runs(Array.from(loudest, (level) => level < least))) {
    if (end - start >= shortest_s * frameRate) sounds.fill(false, start, end);
  }
  return Int32Array.from(sounds.keys()).filter((frame) => sounds[frame]);
}

/**
 * Leaves the silences of a clip out.
 * @returns {{features: {data, nBins, nFrames}, frames: Int32Array}} the features that are left, and
 *   which frames of the recording they are
 */
export function prepare(logMel, bundle, settings) {
  const frames = sounding(logMel, bundle.frameRate, settings);
  if (frames.length === logMel.nFrames) return { features: logMel, frames };
  const { nBins, nFrames } = logMel;
  const data = new Float32Array(nBins * frames.length);
  for (let bin = 0; bin < nBins; bin++) {
    frames.forEach((frame, i) => {
      data[bin * frames.length + i] = logMel.data[bin * nFrames + frame];
    });
  }
  return { features: { data, nBins, nFrames: frames.length }, frames };
}

/** The features with mean 0 and standard deviation 1; zeros of a constant clip. */
export function standardise({ data, nBins, nFrames }) {
  const scaled = new Float32Array(data.length);
  if (data.some((x) => x !== data[0])) {
    const average = (x) => x.reduce((a, b) => a + b, 0) / x.length;
    const middle = average(data);
    data.forEach((x, i) => (scaled[i] = x - middle));
    const left = average(scaled);
    let total = 0;
    scaled.forEach((x, i) => {
      scaled[i] = x - left;
      total += scaled[i] ** 2;
    });
    const spread = Math.sqrt(total / data.length);
    scaled.forEach((x, i) => (scaled[i] = x / spread));
  }
  return { data: scaled, nBins, nFrames };
}

/**
 * Where windows begin that are stretched until they fill a clip: { starts, length }. A shorter clip
 * has one of its own length, but of no less than `shortest` frames.
 */
export function spread(nFrames, { windowLength, hopLength, shortest = windowLength }) {
  if (nFrames <= windowLength) {
    return { starts: [0], length: Math.max(nFrames, Math.min(shortest, windowLength)) };
  }
  const n = Math.floor((nFrames - windowLength) / hopLength) + 1;
  const filled = windowLength + (n - 1) * hopLength;
  const length = Math.ceil((windowLength * nFrames) / filled);
  return { starts: Array.from(linspace(0, nFrames - length, n), rint), length };
}

/** Where the windows begin that a bundle's net is given: as `spread`. */
export function windowsOf(nFrames, bundle, { shortest_window_s: shortestS }) {
  return spread(nFrames, { ...bundle, shortest: rint(shortestS * bundle.frameRate) });
}

/** Where windows begin that follow each other; the last is moved to end where the clip does. */
export function grid(nFrames, windowLength, hopLength) {
  const last = Math.max(0, nFrames - windowLength);
  const starts = [];
  for (let start = 0; start <= last; start += hopLength) starts.push(start);
  if (starts.at(-1) !== last) starts.push(last);
  return starts;
}

/** Windows of a clip, float32 (n_windows, n_bins, length) in one array; a short clip is repeated. */
export function take({ data, nBins, nFrames }, starts, length) {
  const out = new Float32Array(starts.length * nBins * length);
  let at = 0;
  for (const start of starts) {
    for (let bin = 0; bin < nBins; bin++) {
      for (let i = 0; i < length; i++) out[at++] = data[bin * nFrames + ((start + i) % nFrames)];
    }
  }
  return out;
}
