// From samples to the log-mel of a clip, as they come: the same numbers as genrescope.features.

import { Fft } from "./fft.js";
import { filterbank } from "./mel.js";
import { maximum, rint, runs } from "./numbers.js";

/** Half of the range of each cell of a clip, which tells pops from music. */
class Levels {
  constructor(cellLength) {
    this.cellLength = cellLength;
    this.done = [];
    [this.low, this.high, this.n] = [Infinity, -Infinity, 0];
  }

  clone() {
    return Object.assign(new Levels(this.cellLength), this, { done: this.done.slice() });
  }

  push(samples) {
    let { low, high, n } = this;
    for (let i = 0; i < samples.length; i++) {
      const x = samples[i];
      if (x < low) low = x;
      if (x > high) high = x;
      if (++n === this.cellLength) {
        this.done.push(Math.fround(Math.fround(high - low) / 2));
        [low, high, n] = [Infinity, -Infinity, 0];
      }
    }
    Object.assign(this, { low, high, n });
  }

  /** Of all cells, the last one shorter. */
  all() {
    return this.n ? [...this.done, Math.fround(Math.fround(this.high - this.low) / 2)] : this.done;
  }
}

/** Takes samples at the front end's rate and keeps the power in each mel band. */
export class FrontEnd {
  /**
   * @param {object} config the bundle's `features`
   * @param {object} settings what genrescope.features knows besides, see genrescope.web.local
   */
  constructor(config, settings) {
    const { n_fft, sr } = config;
    this.config = config;
    this.settings = settings;
    this.nSamples = 0;
    [this.low, this.high] = [Infinity, -Infinity];
    this.levels = new Levels(Math.max(1, rint(settings.cell_s * sr)));
    this.fft = new Fft(n_fft);
    this.bank = filterbank(config);
    this.nInaudible = 1 + Math.ceil((settings.inaudible_hz * n_fft) / sr);
    // The lowest bands again, without the bins that nobody hears.
    this.nLowest = 1 + this.bank.findLastIndex(
      ({ first, weights }) => weights.length && first < this.nInaudible,
    );
    this.window = Float64Array.from({ length: n_fft }, (_, i) =>
      Math.fround(0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n_fft)),
    );
    this.frame = new Float64Array(n_fft);
    this.spectrum = new Float64Array(n_fft / 2 + 1);
    this.frames = []; // each { power (n_mels,), audible (nLowest,) }
    this.pending = new Float32Array(n_fft / 2); // before the clip there is nothing
    this.skip = 0; // samples to come that lie between two frames
  }

  clone() {
    const copy = Object.assign(Object.create(FrontEnd.prototype), this);
    copy.levels = this.levels.clone();
    copy.frames = this.frames.slice();
    return copy;
  }

  push(samples) {
    if (!samples.length) return;
    this.nSamples += samples.length;
    this.levels.push(samples);
    for (let i = 0; i < samples.length; i++) {
      const x = samples[i];
      if (x < this.low) this.low = x;
      if (x > this.high) this.high = x;
    }
    this.transform(samples);
  }

  /** Length of what has come, s. */
  get duration() {
    return this.nSamples / this.config.sr;
  }

  /** Largest distance from the middle. */
  get peak() {
    if (this.nSamples === 1) return Math.abs(this.low);
    return Math.max(0, (this.high - this.low) / 2);
  }

  transform(samples) {
    const { n_fft, hop_length } = this.config;
    const joined = new Float32Array(this.pending.length + samples.length);
    joined.set(this.pending);
    joined.set(samples, this.pending.length);
    let at = this.skip;
    for (; at + n_fft <= joined.length; at += hop_length) this.add(joined, at);
    this.skip = Math.max(0, at - joined.length);
    this.pending = joined.slice(Math.min(at, joined.length));
  }

  add(samples, at) {
    const { frame, window, spectrum, bank, nInaudible } = this;
    const { n_fft } = this.config;
    for (let i = 0; i < n_fft; i++) frame[i] = Math.fround(samples[at + i] * window[i]);
    this.fft.power(frame, spectrum);
    const power = new Float32Array(bank.length);
    const audible = new Float32Array(this.nLowest);
    for (let band = 0; band < bank.length; band++) {
      const { first, weights } = bank[band];
      let [total, unheard] = [0, 0];
      for (let k = 0; k < weights.length; k++) {
        if (first + k === nInaudible) unheard = total;
        total += weights[k] * spectrum[first + k];
      }
      if (first + weights.length <= nInaudible) unheard = total;
      power[band] = total;
      if (band < this.nLowest) audible[band] = total - unheard;
    }
    this.frames.push({ power, audible });
  }

  /**
   * The log-mel of all samples: { data, nBins, nFrames }, float32 (n_mels, n_frames), row by row,
   * dB from -top_db to 0. Nothing may be pushed afterwards; `clone()` before, to go on.
   */
  finish() {
    if (!this.nSamples) throw new RangeError("there are no samples to analyse");
    this.transform(new Float32Array(this.config.n_fft / 2));
    this.leaveOut();
    return this.decibels();
  }

  /** Takes away what must not decide: pops, offsets, rumble. */
  leaveOut() {
    const { frames, config } = this;
    const bad = this.within(this.outliers());
    let [lowest, heard, above] = [0, 0, 0];
    frames.forEach(({ power, audible }, i) => {
      if (bad[i]) return;
      power.forEach((p, band) => (band < this.nLowest ? (lowest += p) : (above += p)));
      audible.forEach((p) => (heard += p));
    });
    if (lowest - heard > heard + above) {
      this.frames = frames.map(({ power, audible }) => {
        const changed = power.slice();
        changed.set(audible);
        return { power: changed, audible };
      });
      const edges = this.within([
        [-config.n_fft, 0],
        [this.nSamples, this.nSamples + config.n_fft],
      ]);
      edges.forEach((edge, i) => (bad[i] ||= edge));
    }
    const good = bad.flatMap((isBad, i) => (isBad ? [] : [i]));
    if (!good.length) return;
    const cleaned = this.frames.slice();
    bad.forEach((isBad, i) => {
      if (!isBad) return;
      const nearest = good.reduce((a, b) => (Math.abs(b - i) < Math.abs(a - i) ? b : a));
      cleaned[i] = this.frames[nearest];
    });
    this.frames = cleaned;
  }

  /** Where pops and thumps begin and end, in samples: [start, end]. */
  outliers() {
    const { settings } = this;
    const levels = this.levels.all();
    const sorted = Float32Array.from(levels).sort();
    const longest = rint(settings.longest_s / settings.cell_s);
    for (const [most, factor] of settings.outlying) {
      const n = Math.min(most * longest, Math.floor(settings.most_of_clip * levels.length));
      if (!n) continue;
      const rest = sorted[levels.length - n - 1];
      const spans = [];
      for (const [start, end] of runs(levels.map((level) => level > factor * rest))) {
        const before = spans.at(-1);
        if (before && start - before[1] <= settings.bridged) before[1] = end;
        else spans.push([start, end]);
      }
      const short = spans.every(([start, end]) => end - start <= longest);
      if (rest > settings.silence && spans.length && spans.length <= most && short) {
        return spans.map(([start, end]) => {
          while (start > 0 && levels[start - 1] > rest) start--;
          while (end < levels.length && levels[end] > rest) end++;
          return [start * this.levels.cellLength, end * this.levels.cellLength];
        });
      }
    }
    return [];
  }

  /** Which frames see samples of the spans. */
  within(spans) {
    const { n_fft, hop_length } = this.config;
    const half = n_fft / 2;
    const seen = new Array(this.frames.length).fill(false);
    for (const [start, end] of spans) {
      const first = Math.max(0, Math.ceil((start - half) / hop_length));
      const last = Math.min(seen.length, Math.ceil((end + half) / hop_length));
      for (let i = first; i < last; i++) seen[i] = true;
    }
    return seen;
  }

  decibels() {
    const { frames, config, settings } = this;
    const [nBins, nFrames] = [config.n_mels, frames.length];
    const data = new Float32Array(nBins * nFrames);
    frames.forEach(({ power }, i) => {
      for (let band = 0; band < nBins; band++) {
        data[band * nFrames + i] = 10 * Math.log10(Math.max(power[band], settings.amin));
      }
    });
    const loudest = maximum(data);
    for (let i = 0; i < data.length; i++) {
      data[i] = Math.max(Math.fround(data[i] - loudest), -config.top_db);
    }
    return { data, nBins, nFrames };
  }
}
