// How loud a sound is, and making it so without clipping: what `genrescope.mastering.loudness` does,
// with the same constants, of a sound that comes out of two loudspeakers alike.

import { bessel, rint } from "./numbers.js";

const SILENT_LUFS = -70;
const MAX_GAIN_DB = 30;
const MAX_PUSH_DB = 4; // extra gain that may go against the limiter
const PEAK_MARGIN_DB = 0.1; // by which 12 taps may miss a peak between samples
const CONTROL = 16; // samples to one value of the limiter's gain
const LOOK_AHEAD_S = 0.003;
const RELEASE_DB_PER_S = 60;
const TAPS = 12;

const lufsOf = (power) => -0.691 + 10 * Math.log10(Math.max(power, 1e-12));

/** The two sections of the filter that loudness is heard through: [b0, b1, b2, a1, a2] each. */
function kWeighting(rate) {
  const amplitude = 10 ** (4 / 40);
  let w = (2 * Math.PI * 1500) / rate;
  let cos = Math.cos(w);
  let alpha = Math.sin(w) / Math.SQRT2;
  const [up, down, root] = [amplitude + 1, amplitude - 1, 2 * Math.sqrt(amplitude) * alpha];
  const shelf = [
    amplitude * (up + down * cos + root),
    -2 * amplitude * (down + up * cos),
    amplitude * (up + down * cos - root),
    up - down * cos + root,
    2 * (down - up * cos),
    up - down * cos - root,
  ];
  w = (2 * Math.PI * 38) / rate;
  cos = Math.cos(w);
  alpha = Math.sin(w);
  const pass = [(1 + cos) / 2, -(1 + cos), (1 + cos) / 2, 1 + alpha, -2 * cos, 1 - alpha];
  return [shelf, pass].map(([b0, b1, b2, a0, a1, a2]) => [b0, b1, b2, a1, a2].map((c) => c / a0));
}

/** Integrated loudness by ITU-R BS.1770, LUFS; at least `SILENT_LUFS`. */
export function loudness(samples, rate) {
  const length = Math.max(samples.length, Math.floor(0.4 * rate) + 1);
  const nEdges = Math.ceil((length + 1) / (0.1 * rate));
  const tenths = new Float64Array(nEdges - 1);
  const [shelf, pass] = kWeighting(rate);
  let [s1, s2, p1, p2] = [0, 0, 0, 0]; // states of the two sections
  for (let tenth = 0, i = 0; tenth < tenths.length; tenth++) {
    for (const end = rint((tenth + 1) * 0.1 * rate); i < end; i++) {
      const x = samples[i % samples.length];
      const y = shelf[0] * x + s1;
      s1 = shelf[1] * x - shelf[3] * y + s2;
      s2 = shelf[2] * x - shelf[4] * y;
      const z = pass[0] * y + p1;
      p1 = pass[1] * y - pass[3] * z + p2;
      p2 = pass[2] * y - pass[4] * z;
      tenths[tenth] += z * z;
    }
  }
  const powers = Array.from(
    tenths.subarray(3),
    (_, i) => (2 * tenths.subarray(i, i + 4).reduce((a, b) => a + b)) / (0.4 * rate),
  );
  const mean = (x) => x.reduce((a, b) => a + b) / x.length;
  const audible = powers.filter((power) => lufsOf(power) > SILENT_LUFS);
  if (!audible.length) return SILENT_LUFS;
  const least = lufsOf(mean(audible)) - 10;
  return Math.max(lufsOf(mean(audible.filter((power) => lufsOf(power) > least))), SILENT_LUFS);
}

/** The weights of the samples around a point, so far before a sample; they sum to 1. */
function tapsAt(offset) {
  const taps = Array.from({ length: TAPS }, (_, m) => {
    const distance = offset + m - TAPS / 2;
    // As from a table of 1025 places.
    const place = rint(512 + (distance * 512) / (TAPS / 2));
    const window = bessel(5 * Math.sqrt(1 - ((place - 512) / 512) ** 2)) / bessel(5);
    return (Math.sin(Math.PI * distance) / (Math.PI * distance)) * window;
  });
  const total = taps.reduce((a, b) => a + b);
  return taps.map((tap) => tap / total);
}

/** Largest magnitude in each stretch of `CONTROL` samples, between the samples too. */
function peakEnvelope(samples) {
  const filters = [0.25, 0.5, 0.75].map(tapsAt);
  const envelope = new Float64Array(Math.ceil(samples.length / CONTROL));
  const padded = new Float32Array(envelope.length * CONTROL + TAPS);
  padded.set(samples, TAPS / 2);
  for (let i = 0; i < envelope.length * CONTROL; i++) {
    let most = Math.abs(padded[i + TAPS / 2]);
    for (const taps of filters) {
      let value = 0;
      for (let m = 0; m < TAPS; m++) value += taps[m] * padded[i + m];
      most = Math.max(most, Math.abs(value));
    }
    const stretch = Math.floor(i / CONTROL);
    if (most > envelope[stretch]) envelope[stretch] = most;
  }
  return envelope;
}

/** `combine` of the places around each, `reach` on either side; the ends go on as they are. */
const around = (x, reach, combine) =>
  x.map((_, i) => {
    let value = x[Math.min(Math.max(i - reach, 0), x.length - 1)];
    for (let k = i - reach + 1; k <= i + reach; k++) {
      value = combine(value, x[Math.min(Math.max(k, 0), x.length - 1)]);
    }
    return value;
  });

/** The sound amplified, and turned down for a moment where a peak would pass the limit. */
function limit(samples, envelope, rate, { gainDb, peakDb }) {
  const over = envelope.map((peak) =>
    Math.max(0, 20 * Math.log10(Math.max(peak, 1e-9)) + gainDb - (peakDb - PEAK_MARGIN_DB)),
  );
  const reach = Math.max(1, rint((LOOK_AHEAD_S * rate) / CONTROL / 2));
  const released = around(over, reach + 1, Math.max);
  const fall = (RELEASE_DB_PER_S * CONTROL) / rate;
  for (let i = 1; i < released.length; i++) {
    released[i] = Math.max(released[i], released[i - 1] - fall);
  }
  const gains = around(released, reach, (a, b) => a + b).map(
    (sum) => 10 ** ((gainDb - sum / (2 * reach + 1)) / 20),
  );
  const ceiling = 10 ** (peakDb / 20);
  return samples.map((x, i) => {
    // A straight line from the middle of a stretch to the middle of the next.
    const at = Math.max(0, (i + 0.5) / CONTROL - 0.5);
    const before = Math.floor(at);
    const next = gains[Math.min(before + 1, gains.length - 1)];
    const gain = gains[before] + (next - gains[before]) * (at - before);
    return Math.min(Math.max(x * gain, -ceiling), ceiling);
  });
}

/**
 * A sound at a loudness in LUFS, its peaks below a limit in dB; silence stays as it is.
 * @param {Float32Array} samples
 * @returns {Float32Array}
 */
export function master(samples, rate, { lufs, peakDb }) {
  const before = loudness(samples, rate);
  if (before <= SILENT_LUFS) return samples;
  let gainDb = Math.min(lufs - before, MAX_GAIN_DB);
  const target = before + gainDb;
  const highest = gainDb + MAX_PUSH_DB;
  const envelope = peakEnvelope(samples);
  let louder;
  for (let attempt = 0; attempt < 4; attempt++) {
    louder = limit(samples, envelope, rate, { gainDb, peakDb });
    const missing = target - loudness(louder, rate);
    if (missing < 0.2 || gainDb >= highest) break;
    // The limiter takes part of each dB that is added, so add more than is missing.
    gainDb = Math.min(gainDb + 1.3 * missing, highest);
  }
  return louder;
}
