// Why a genre is named: what each part of the spectrogram is worth to the net, as
// `genrescope.model.occlusion` finds it, by hiding parts and by showing them alone.

import { prepare, standardise, take, windowsOf } from "./clip.js";
import { maskOf } from "./masking.js";
import { melEdges } from "./mel.js";
import { argsortDown, linspace, maximum, mean, rint, rounded, sum } from "./numbers.js";
import { predict, softmax } from "./predict.js";
import { leading, wholeSeconds, within } from "./regions.js";

const logOdds = (p) => {
  const bounded = Math.min(Math.max(p, 1e-6), 1 - 1e-6);
  return Math.log(bounded / (1 - bounded));
};

/** Chance that is the same each time (mulberry32). */
function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(n, random) {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}

/** A clip of which cells can be hidden, and what the net then says of a genre. */
class Occluder {
  constructor(prepared, label, bundle, net, settings) {
    const x = standardise(prepared.features);
    const { nBins, nFrames } = x;
    const { starts, length } = windowsOf(nFrames, bundle, settings);
    const { occlusion_bands: nBands, occlusion_times: nTimes } = settings;
    Object.assign(this, { bundle, net, label, settings, nBins, length, nBands, nTimes });
    this.n = starts.length;
    this.windows = take(x, starts, length);
    this.means = Float32Array.from({ length: nBins }, (_, bin) =>
      mean(x.data.subarray(bin * nFrames, (bin + 1) * nFrames)),
    );
    this.bandEdges = Array.from(linspace(0, nBins, nBands + 1), rint);
    this.timeEdges = Array.from(linspace(0, nFrames, nTimes + 1), rint);
    const partOf = (edges, at) => edges.findLastIndex((edge, i) => edge <= at && edges[i + 1] > at);
    this.band = Array.from({ length: nBins }, (_, bin) => partOf(this.bandEdges, bin));
    this.time = starts.map((start) =>
      Array.from({ length }, (_, i) => partOf(this.timeEdges, (start + i) % nFrames)),
    );
    this.holds = this.time.map((times) => new Set(times));
    this.every = Array.from({ length: this.n }, (_, window) => window);
    // Of several windows each order hides other parts.
    this.nRandom = Math.ceil(settings.occlusion_random / this.n);
  }

  /** Windows that hold any of some times: only these can answer otherwise without them. */
  touched(times) {
    return this.every.filter((window) => times.some((time) => this.holds[window].has(time)));
  }

  /** One window; `visible(cell)` says of which cells the sound is left. */
  masked(window, visible) {
    const { nBins, length, nTimes, means, band } = this;
    const from = window * nBins * length;
    const out = this.windows.slice(from, from + nBins * length);
    const shown = Array.from({ length: this.nBands * nTimes }, (_, cell) => visible(cell));
    for (let bin = 0; bin < nBins; bin++) {
      for (let i = 0; i < length; i++) {
        if (!shown[band[bin] * nTimes + this.time[window][i]]) out[bin * length + i] = means[bin];
      }
    }
    return out;
  }

  /** Probability of the genre in each of some windows, each float32 (n_bins, length). */
  async probs(windows) {
    const { bundle, length, settings } = this;
    const atOnce = Math.max(1, Math.floor(settings.batch_frames / length));
    const found = [];
    for (let i = 0; i < windows.length; i += atOnce) {
      const some = windows.slice(i, i + atOnce);
      const joined = new Float32Array(some.length * some[0].length);
      some.forEach((window, k) => joined.set(window, k * window.length));
      const { logits } = await this.net(joined, some.length, length);
      found.push(...softmax(logits, bundle.labels.length, bundle.temperature));
    }
    return found.map((row) => row[this.label]);
  }

  /** Probability of the genre in each window as it is, and in one of bands' means. */
  async ends() {
    this.whole = await this.probs(this.every.map((window) => this.masked(window, () => true)));
    [this.nothing] = await this.probs([this.masked(0, () => false)]);
  }

  /** What each cell is worth, in nats: a row for each band, lowest first. */
  async weights(report) {
    const { nBands, nTimes } = this;
    const { occlusion_patch: width } = this.settings;
    const totals = Array.from({ length: nBands }, () => new Float64Array(nTimes));
    const covering = new Float64Array(nTimes);
    for (let first = 0; first + width <= nTimes; first++) {
      const times = Array.from({ length: width }, (_, i) => first + i);
      const worth = await this.worthOf(times);
      for (const time of times) {
        covering[time]++;
        totals.forEach((row, band) => (row[time] += worth[band]));
      }
      await report(first + 1);
    }
    return totals.map((row) => Array.from(row, (total, time) => total / covering[time]));
  }

  /** What each band is worth at some times, in nats. */
  async worthOf(times) {
    const { nBands, nTimes, n, nothing } = this;
    const touched = this.touched(times);
    const worth = new Float64Array(nBands);
    for (let band = 0; band < nBands && touched.length; band++) {
      const patch = new Set(times.map((time) => band * nTimes + time));
      const probs = await this.probs([
        ...touched.map((window) => this.masked(window, (cell) => !patch.has(cell))),
        ...touched.map((window) => this.masked(window, (cell) => patch.has(cell))),
      ]);
      const lost = touched.map((window, i) => probs[i] - this.whole[window]);
      const won = touched.map((_, i) => probs[touched.length + i] - nothing);
      const whole = mean(this.whole);
      const fall = logOdds(whole) - logOdds(whole + sum(lost) / n);
      const rise = logOdds(nothing + sum(won) / n) - logOdds(nothing);
      worth[band] = (fall + rise) / 2;
    }
    return worth;
  }

  /** Mean probability of the genre while the first cells alone are kept, or hidden. */
  async area(order, { keepFirst }) {
    const { occlusion_steps: nSteps } = this.settings;
    const ends = [this.nothing, mean(this.whole)];
    const probs = keepFirst ? this.every.map(() => this.nothing) : this.whole.slice();
    const means = [];
    const edges = Array.from(linspace(0, order.length, nSteps + 1), rint);
    for (let step = 1; step < nSteps; step++) {
      const first = new Set(order.slice(0, edges[step]));
      const visible = (cell) => first.has(cell) === keepFirst;
      const changed = order.slice(edges[step - 1], edges[step]);
      const touched = this.touched(changed.map((cell) => cell % this.nTimes));
      const found = await this.probs(touched.map((window) => this.masked(window, visible)));
      touched.forEach((window, i) => (probs[window] = found[i]));
      means.push(mean(probs));
    }
    return (mean(ends) + sum(means)) / nSteps;
  }

  /** Deletion and insertion in the order of the weights, and in random orders. */
  async fidelity(cells, report) {
    const weights = cells.flat();
    const order = argsortDown(weights);
    const deletion = await this.area(order, { keepFirst: false });
    await report(1);
    const insertion = await this.area(order, { keepFirst: true });
    await report(2);
    const random = chance(0);
    const areas = [];
    for (let i = 0; i < this.nRandom; i++) {
      areas.push(await this.area(shuffled(weights.length, random), { keepFirst: true }));
      await report(3 + i);
    }
    return {
      deletion_auc: deletion,
      insertion_auc: insertion,
      random_deletion_auc: mean(areas),
      random_insertion_auc: mean(areas),
    };
  }
}

/**
 * The explanation of a genre: { figures, mask }, the figures in the form of the HTTP API, and what
 * decided as a mask over the clip's features, see `maskOf`.
 * @param {object} clip { logMel, duration, peak }
 * @param {string} genre one of the bundle's labels
 * @param {function(number): (void | Promise<void>)} progress called with the share that is done
 */
export async function explain(clip, genre, bundle, net, settings, progress) {
  const { logMel, duration } = clip;
  const { answer, steps } = await predict(clip, bundle, net, settings);
  const label = bundle.labels.indexOf(genre);
  const prepared = prepare(logMel, bundle, settings);
  const hidden = new Occluder(prepared, label, bundle, net, settings);
  const nPatches = settings.occlusion_times - settings.occlusion_patch + 1;
  const nSteps = nPatches + 2 + hidden.nRandom;
  await hidden.ends();
  const cells = await hidden.weights((done) => progress(done / nSteps));
  const fidelity = await hidden.fidelity(cells, (done) => progress((nPatches + done) / nSteps));
  const ends = [...prepared.frames, prepared.frames.at(-1) + 1];
  const times = hidden.timeEdges.map((edge) => Math.min(ends[edge] / bundle.frameRate, duration));
  const edges = melEdges(bundle.features);
  const bandsHz = hidden.bandEdges.map((edge) => edges[edge]);
  const decisive =
    fidelity.deletion_auc < fidelity.random_deletion_auc &&
    fidelity.insertion_auc > fidelity.random_insertion_auc;
  const figures = {
    genre,
    probability: answer.probabilities[genre],
    words: words(cells, bandsHz, times, { decisive, settings }),
    bands_hz: bandsHz.map((hz) => rounded(hz, 1)),
    times: times.map((s) => rounded(s, 3)),
    cells: cells.map((row) => row.map((nats) => rounded(nats, 4))),
    moments: steps.map(({ start, end, probs }) => ({
      start: rounded(start, 3),
      end: rounded(end, 3),
      probability: rounded(probs[label], 6),
    })),
    decisive,
    ...Object.fromEntries(Object.entries(fidelity).map(([name, p]) => [name, rounded(p, 4)])),
    bundle: bundle.name,
  };
  return { figures, mask: maskOf(cells, prepared.frames, logMel) };
}

/** The explanation in one sentence without a full stop, in English. */
function words(cells, bandsHz, times, { decisive, settings }) {
  const support = cells.map((row) => row.map((nats) => Math.max(nats, 0)));
  if (!decisive || maximum(support.flat()) <= 0) return "no single part decided";
  const [low, high] = leading(support.map(sum));
  const [first, last] = leading(
    times.slice(1).map((_, time) => sum(support.slice(low, high + 1).map((row) => row[time]))),
  );
  const range = [bandsHz[low], bandsHz[high + 1]];
  const hz = range.map((edge) => rint(edge / 10) * 10);
  const whole = first === 0 && last === times.length - 2;
  const seconds = wholeSeconds(times[first], times[last + 1]);
  const when = whole ? "throughout" : `from ${seconds[0]} to ${seconds[1]} s`;
  return `mostly the ${regions(range, settings)} (${hz[0]} to ${hz[1]} Hz), ${when}`;
}

/** What people call a range of the spectrum. */
function regions(range, { regions_hz: all, regions_top_hz: top }) {
  const names = within(range, all, top);
  if (names.length === all.length) return "whole spectrum";
  if (!names.length) return "mids";
  return names[0] === names.at(-1) ? names[0] : `${names[0]} and ${names.at(-1)}`;
}
