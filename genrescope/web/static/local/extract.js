// A recording on its way to a clip: mixed to one channel, resampled, and its log-mel, in blocks.

import { FrontEnd } from "./front.js";
import { free, joined } from "./memory.js";
import { Resampler } from "./resample.js";

/** Mean of the channels; of two that cancel, as one miswired does the other, the louder. */
export function toMono(channels, { cancels }) {
  if (channels.length === 1) return channels[0];
  const mixed = new Float32Array(channels[0].length);
  for (const channel of channels) for (let i = 0; i < mixed.length; i++) mixed[i] += channel[i];
  for (let i = 0; i < mixed.length; i++) mixed[i] *= Math.fround(1 / channels.length);
  if (channels.length !== 2) return mixed;
  const power = (x) => x.reduce((total, value) => total + value * value, 0);
  const [left, right] = channels.map(power);
  if (2 * power(mixed) >= cancels * (left + right)) return mixed;
  return channels[left >= right ? 0 : 1];
}

export class Extractor {
  /**
   * @param {number} rate of what will be pushed, Hz
   * @param {boolean} keep whether the clip is to hold its samples at the front end's rate as well
   */
  constructor(rate, bundle, settings, { keep = false } = {}) {
    this.kept = keep ? [] : null;
    this.settings = settings;
    this.resampler = new Resampler(rate, bundle.features.sr);
    this.front = new FrontEnd(bundle.features, settings);
    this.held = []; // blocks of channels that do not yet fill one of `block_length`
    this.nHeld = 0;
  }

  clone() {
    return Object.assign(Object.create(Extractor.prototype), this, {
      resampler: this.resampler.clone(),
      front: this.front.clone(),
      held: this.held.map((block) => block.map((channel) => channel.slice())),
    });
  }

  /**
   * Takes samples, float32 of each channel; in blocks of whatever length: the same is made of them.
   * An Error where they are no numbers.
   */
  push(channels) {
    for (const channel of channels) {
      for (let i = 0; i < channel.length; i++) {
        if (!(Math.abs(channel[i]) < this.settings.loudest)) throw new RangeError("no samples");
      }
    }
    const { block_length: length } = this.settings;
    let at = 0;
    while (this.nHeld + channels[0].length - at >= length) {
      const end = at + length - this.nHeld;
      this.hold(channels, at, end);
      this.mix();
      at = end;
    }
    this.hold(channels, at, channels[0].length);
  }

  hold(channels, from, to) {
    if (to > from) this.held.push(channels.map((channel) => channel.slice(from, to)));
    this.nHeld += to - from;
  }

  mix() {
    if (!this.nHeld) return;
    const channels = this.held[0].map((_, i) => joined(this.held.map((block) => block[i])));
    const mono = toMono(channels, this.settings);
    const samples = this.resampler.push(mono);
    this.advance(samples);
    for (const used of [...this.held.flat(), ...channels, mono]) if (used !== samples) free(used);
    [this.held, this.nHeld] = [[], 0];
  }

  advance(samples) {
    this.kept?.push(samples);
    this.front.push(samples);
  }

  /** The clip: { logMel, duration, peak, samples }. Nothing may be pushed afterwards. */
  finish() {
    this.mix();
    this.advance(this.resampler.finish());
    const { duration, peak } = this.front;
    return { logMel: this.front.finish(), duration, peak, samples: this.kept && joined(this.kept) };
  }
}
