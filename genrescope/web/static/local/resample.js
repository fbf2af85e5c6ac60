// Another sample rate: a windowed sinc, cut into as many phases as the two rates have.
//
// The filters are those of soxr's HQ, as its answer to a single sample shows them:
// Kaiser windows by J. O. Smith's "Digital Audio Resampling" that err by 120 dB and, for each step
// of soxr's own way from one rate to the other, by 6 dB less.

import { bessel } from "./numbers.js";

const ATTENUATION_DB = 121.1;
const STEP_DB = 6.02;
const PASSES = 0.9137; // of half the lower rate; nothing passes above that half
const MOST_PHASES = 2048; // rates with more have their filter between two of these

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

/**
 * Rows of the filter, one for each phase between two samples and one more:
 * { rows, n, before, phases }.
 */
function tableOf(from, to) {
  const octaves = Math.abs(Math.log2(from / to));
  const steps = Number.isInteger(octaves) ? octaves : Math.max(2, 1 + Math.floor(octaves));
  const attenuation = ATTENUATION_DB + STEP_DB * steps;
  const scale = Math.min(1, to / from);
  const reach = (0.817 * (attenuation - 8)) / scale;
  const cutoff = ((1 + PASSES) / 2) * scale;
  const beta = 0.1102 * (attenuation - 8.7);
  const norm = bessel(beta);
  const at = (t) => {
    if (Math.abs(t) >= reach) return 0;
    const x = Math.PI * cutoff * t;
    const sinc = x === 0 ? 1 : Math.sin(x) / x;
    return (cutoff * sinc * bessel(beta * Math.sqrt(1 - (t / reach) ** 2))) / norm;
  };
  const phases = Math.min(to / gcd(from, to), MOST_PHASES);
  const before = Math.ceil(reach);
  const n = 2 * before + 1;
  const rows = new Float64Array((phases + 1) * n);
  for (let phase = 0; phase <= phases; phase++) {
    for (let k = 0; k < n; k++) rows[phase * n + k] = at(phase / phases + before - k);
  }
  return { rows, n, before, phases };
}

export class Resampler {
  /** From one rate in Hz to another, both whole numbers. */
  constructor(from, to) {
    const shared = gcd(from, to);
    this.up = to / shared;
    this.down = from / shared;
    this.table = tableOf(from, to);
    this.held = new Float32Array(this.table.before); // what is still needed; at first, nothing
    this.offset = -this.held.length; // which sample `held` begins with
    this.given = 0;
  }

  /** The same state apart: what is pushed into one does not reach the other. */
  clone() {
    return Object.assign(Object.create(Resampler.prototype), this);
  }

  /** The samples that are complete once `samples` have come. */
  push(samples) {
    if (this.up === this.down) return samples;
    const joined = new Float32Array(this.held.length + samples.length);
    joined.set(this.held);
    joined.set(samples, this.held.length);
    const { rows, n, before, phases } = this.table;
    const { up, down, offset } = this;
    // Before this sample of the recording, what is to be given has all that it needs.
    const ready = offset + joined.length - before;
    const end = Math.max(this.given, Math.ceil((ready * up) / down));
    const out = new Float32Array(end - this.given);
    for (let i = 0; i < out.length; i++) {
      const time = (this.given + i) * down;
      const whole = Math.floor(time / up);
      const first = whole - before - offset;
      const row = ((time - whole * up) / up) * phases;
      const below = phases === up ? time - whole * up : Math.floor(row);
      const share = phases === up ? 0 : row - below;
      const value = dot(rows, below * n, joined, first, n);
      out[i] = share ? value + share * (dot(rows, (below + 1) * n, joined, first, n) - value) : value;
    }
    this.given = end;
    const drop = Math.floor((end * down) / up) - before - offset;
    const kept = Math.min(joined.length, Math.max(0, drop));
    this.held = joined.slice(kept);
    this.offset += kept;
    return out;
  }

  /** The rest, after the last samples. */
  finish() {
    if (this.up === this.down) return new Float32Array(0);
    const taken = this.offset + this.held.length;
    const missing = Math.floor((taken * this.up) / this.down + 0.5) - this.given;
    return this.push(new Float32Array(this.table.n)).slice(0, Math.max(0, missing));
  }
}

function dot(rows, at, samples, first, n) {
  let [a, b, c, d] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < n; k += 4) {
    a += rows[at + k] * samples[first + k];
    b += rows[at + k + 1] * samples[first + k + 1];
    c += rows[at + k + 2] * samples[first + k + 2];
    d += rows[at + k + 3] * samples[first + k + 3];
  }
  for (; k < n; k++) a += rows[at + k] * samples[first + k];
  return a + b + c + d;
}

