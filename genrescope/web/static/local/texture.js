// Whether a recording is music at all: descriptors of its texture, and what a bundle makes of them.

import { grid, take } from "./clip.js";
import { free } from "./memory.js";
import { deviation, linspace, maximum, mean, rint, sum } from "./numbers.js";

/** Level-free descriptors of a window, as `genrescope.features.texture` has them, in its order. */
function describe(window, nBins, nFrames, { texture_floor_db: floor }) {
  const loudest = maximum(window);
  const x = Float64Array.from(window, (level) => Math.max(level - loudest, floor));
  const overFrames = (f) => Float64Array.from({ length: nFrames }, (_, frame) => f(frame));
  const overBins = (f) => Float64Array.from({ length: nBins }, (_, bin) => f(bin));
  const overColumn = (frame, f) => {
    let total = 0;
    for (let bin = 0; bin < nBins; bin++) total += f(x[bin * nFrames + frame], bin);
    return total;
  };
  const power = x.map((level) => 10 ** (level / 10));
  const total = overFrames((frame) =>
    overColumn(frame, (_, bin) => power[bin * nFrames + frame]),
  );
  const level = total.map((p) => 10 * Math.log10(p));
  const highest = maximum(level);
  const loud = level.map((db) => Math.max(db - highest, floor));
  const flat = overFrames(
    (frame) => overColumn(frame, (db) => db) / nBins - level[frame] + 10 * Math.log10(nBins),
  );
  const change = (frame, f) =>
    overColumn(frame, (db, bin) => f(x[bin * nFrames + frame + 1] - db)) / nBins;
  const changes = Float64Array.from({ length: nFrames - 1 }, (_, i) => change(i, (db) => db));
  const steps = Float64Array.from({ length: nFrames - 1 }, (_, i) => change(i, Math.abs));
  const means = overBins((bin) => mean(x.subarray(bin * nFrames, (bin + 1) * nFrames)));
  const centred = x.map((db, i) => db - means[Math.floor(i / nFrames)]);
  const spreads = overBins((bin) =>
    deviation(centred.subarray(bin * nFrames, (bin + 1) * nFrames)),
  );
  const common = overFrames(
    (frame) => overColumn(frame, (_, bin) => centred[bin * nFrames + frame]) / nBins,
  );
  const peak = peaks(x, nBins, nFrames);
  const active = overFrames((frame) => overColumn(frame, (db) => db > floor + 5) / nBins);
  const centre = overFrames((frame) =>
    overColumn(frame, (_, bin) => (power[bin * nFrames + frame] / total[frame]) * (bin / nBins)),
  );
  const found = [
    mean(x),
    deviation(x),
    mean(flat),
    deviation(flat),
    mean(steps),
    maximum(steps),
    skew(changes),
    mean(spreads),
    deviation(common) ** 2 / Math.max(mean(centred.map((db) => db ** 2)), 1e-6),
    mean(peak.map((db) => Math.max(db, 0))),
    peak.reduce((n, db) => n + (db > 6), 0) / peak.length,
    kept(peak, nFrames),
    mean(active),
    deviation(active),
    loud.reduce((n, db) => n + (db < -20), 0) / nFrames,
    deviation(loud),
    ...modulation(loud),
    mean(centre),
    deviation(centre),
    ...fifths(power, nBins, nFrames),
  ];
  [x, power, centred, peak].forEach(free); // a long recording has hundreds of windows
  return found;
}

/** How far each cell is above the mean of the bins within three of it. */
function peaks(x, nBins, nFrames) {
  return x.map((level, i) => {
    const [bin, frame] = [Math.floor(i / nFrames), i % nFrames];
    let total = 0;
    for (let k = bin - 3; k <= bin + 3; k++) {
      total += x[Math.min(Math.max(k, 0), nBins - 1) * nFrames + frame];
    }
    return level - total / 7;
  });
}

/** How much of the fine structure over the bins one frame hands on to the next. */
function kept(peak, nFrames) {
  let [both, now, then] = [0, 0, 0];
  for (let i = 0; i < peak.length; i++) {
    if (i % nFrames === 0) continue;
    both += peak[i] * peak[i - 1];
    now += peak[i] ** 2;
    then += peak[i - 1] ** 2;
  }
  return both / Math.max(Math.sqrt(now * then), 1e-6);
}

function skew(x) {
  const middle = mean(x);
  const third = mean(x.map((value) => (value - middle) ** 3));
  return third / Math.max(deviation(x) ** 3, 1e-6);
}

/** Depth of loudness in its slow (lowest quarter) and fast modulations, dB. */
function modulation(loud) {
  const n = loud.length;
  const middle = mean(loud);
  const squares = Array.from({ length: Math.floor(n / 2) }, (_, i) => {
    let [re, im] = [0, 0];
    for (let t = 0; t < n; t++) {
      const angle = (2 * Math.PI * (i + 1) * t) / n;
      re += (loud[t] - middle) * Math.cos(angle);
      im -= (loud[t] - middle) * Math.sin(angle);
    }
    return (re * re + im * im) / n ** 2;
  });
  const cut = Math.max(1, Math.floor(squares.length / 4));
  return [Math.sqrt(sum(squares.slice(0, cut))), Math.sqrt(sum(squares.slice(cut)))];
}

/** Share of the power in each fifth of the bins, dB, from -40. */
function fifths(power, nBins, nFrames) {
  const [size, extra] = [Math.floor(nBins / 5), nBins % 5];
  let bin = 0;
  const rows = Array.from({ length: 5 }, (_, i) => {
    const end = bin + size + (i < extra);
    const row = sum(power.subarray(bin * nFrames, end * nFrames));
    bin = end;
    return row;
  });
  const total = sum(rows);
  return rows.map((row) => Math.max(10 * Math.log10(Math.max(row / total, 1e-12)), -40));
}

/** How little a clip is like music, in nats, by a bundle's `no_music`. */
export function noMusicScore(features, noMusic, bundle, settings) {
  const length = Math.max(4, rint(noMusic.window_s * bundle.frameRate));
  let starts = grid(features.nFrames, length, length);
  const most = settings.novelty_windows;
  if (starts.length > most) {
    starts = Array.from(linspace(0, starts.length - 1, most), (at) => starts[rint(at)]);
  }
  return mean(
    starts.map((start) => {
      const window = take(features, [start], length);
      const described = describe(window, features.nBins, length, settings);
      const clip = settings.novelty_clip;
      const z = described.map((value, i) =>
        Math.min(Math.max((value - noMusic.mean[i]) / noMusic.scale[i], -clip), clip),
      );
      const products = z.flatMap((first, i) => z.slice(i).map((second) => first * second));
      return [...z, ...products].reduce(
        (total, term, i) => total + term * noMusic.weights[i],
        noMusic.bias,
      );
    }),
  );
}
