// The stave behind the button: five strings that sound, a dial that counts, a level.
// Left of the dial lies the music already heard, note by note; right of it the stave is empty.

import { $, calm, colour, prepare } from "./dom.js";
import { MAX_S } from "./recorder.js";

const GAP = 24; // between staff lines, px
const TICKS = 60;
const LOWEST_HZ = 50;
const HIGHEST_HZ = 12000;
const MELODY = [2, 4, 3, 6, 5, 7, 4, 1, 3, 5]; // staff steps shown before anything is heard

export class Stage {
  constructor(canvas, level) {
    this.canvas = canvas;
    this.level = level;
    this.recording = null;
    this.notes = [];
    this.bands = new Array(5).fill(0);
    this.lastNote = 0;
    this.frame = 0;
    this.loudness = -Infinity;
    new ResizeObserver(() => this.draw(performance.now())).observe(canvas);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", () => this.draw(0));
    }
  }

  start(recording) {
    this.recording = recording;
    this.notes = [];
    this.spectrum = new Float32Array(recording.analyser.frequencyBinCount);
    this.samples = new Float32Array(recording.analyser.fftSize);
    const loop = (now) => {
      this.listen(now);
      this.draw(now);
      this.frame = requestAnimationFrame(loop);
    };
    this.frame = requestAnimationFrame(loop);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.recording = null;
    this.bands.fill(0);
    this.draw(performance.now());
  }

  listen(now) {
    const { analyser, context } = this.recording;
    analyser.getFloatFrequencyData(this.spectrum);
    analyser.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const x of this.samples) sum += x * x;
    this.loudness = 10 * Math.log10(sum / this.samples.length + 1e-12);
    this.hz = context.sampleRate / analyser.fftSize;
    this.bars = Array.from({ length: TICKS }, (_, i) => this.strength(i / TICKS, (i + 1) / TICKS));
    this.bands = this.bands.map((old, i) => {
      const target = this.strength(i / 5, (i + 1) / 5);
      return old + (target - old) * 0.25;
    });
    if (now - this.lastNote > 420 && this.loudness > -50) {
      this.notes.push({ step: this.pitchStep(), born: now });
      this.notes = this.notes.slice(-24);
      this.lastNote = now;
    }
  }

  /** Mean level of a stretch of the log-frequency axis (0 to 1), as 0 to 1. */
  strength(from, to) {
    const bin = (x) => (LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** x) / this.hz;
    const end = this.spectrum.length; // a headset's microphone may not reach the highest tones
    const first = Math.min(Math.floor(bin(from)), end - 1);
    const last = Math.min(Math.max(first + 1, Math.ceil(bin(to))), end);
    let peak = -Infinity;
    for (let i = first; i < last; i++) peak = Math.max(peak, this.spectrum[i]);
    return Math.min(Math.max((peak + 95) / 65, 0), 1);
  }

  /** Where the leading tone between 160 and 2560 Hz stands on the stave, -1 (low) to 9. */
  pitchStep() {
    let best = 0;
    let strongest = -Infinity;
    for (let i = Math.ceil(160 / this.hz); i < 2560 / this.hz; i++) {
      const level = this.spectrum[i] + 6 * Math.log2(i); // music falls by 6 dB an octave, about
      if (level > strongest) [best, strongest] = [i, level];
    }
    return Math.round(-1 + 2.5 * Math.log2((best * this.hz) / 160));
  }

  draw(now) {
    const { context: c, width, height } = prepare(this.canvas);
    if (!width) return;
    const middle = { x: width / 2, y: height / 2 };
    const dial = Math.min(height / 2 - 34, 0.68 * $("record").offsetWidth); // around the button
    this.drawStrings(c, width, middle, now);
    this.drawNotes(c, middle, dial, now);
    this.drawDial(c, middle, dial);
    this.drawLevel();
  }

  drawStrings(c, width, middle, now) {
    c.strokeStyle = colour("staff");
    c.lineWidth = 1.25;
    const still = calm() || !this.recording;
    for (let line = 0; line < 5; line++) {
      const y = middle.y + (line - 2) * GAP;
      const swing = still ? 0 : this.bands[4 - line] ** 1.5 * GAP * 0.5;
      const waves = 3 + 2 * (4 - line);
      c.beginPath();
      for (let x = 0; x <= width; x += swing ? 3 : width) {
        const shape = Math.sin((Math.PI * waves * x) / width) * Math.sin((Math.PI * x) / width);
        c.lineTo(x, y + swing * shape * Math.cos(now / (26 + 9 * line)));
      }
      c.stroke();
    }
  }

  drawNotes(c, middle, dial, now) {
    const edge = middle.x - dial - 34;
    if (!this.recording) {
      MELODY.forEach((step, i) => {
        const x = edge - (MELODY.length - 1 - i) * 46;
        drawNote(c, x, noteY(middle.y, step), step, Math.min(1, Math.max(0, x / edge)) * 0.55);
      });
      return;
    }
    this.notes.forEach(({ step, born }, i) => {
      const age = calm() ? (this.notes.length - i) * 420 : now - born;
      const x = edge - age * 0.07;
      const shown = Math.min(1, age / 240) * Math.max(0, x / edge);
      if (shown > 0) drawNote(c, x, noteY(middle.y, step), step, shown * 0.9);
    });
  }

  drawDial(c, middle, dial) {
    c.fillStyle = colour("page");
    c.beginPath();
    c.arc(middle.x, middle.y, dial + 16, 0, 2 * Math.PI);
    c.fill();
    const passed = this.recording ? this.recording.elapsed / MAX_S : 0;
    const lit = colour("record");
    const unlit = colour("tick");
    const ink = colour("spectrum");
    c.lineCap = "round";
    for (let i = 0; i < TICKS; i++) {
      const angle = (i / TICKS) * 2 * Math.PI - Math.PI / 2;
      const major = i % 10 === 0;
      const strength = this.recording ? (this.bars?.[mirror(i)] ?? 0) : 0;
      const reach = (major ? 9 : 5) + strength * 27;
      c.strokeStyle = this.recording && i / TICKS <= passed ? lit : strength > 0.08 ? ink : unlit;
      c.lineWidth = major ? 2.5 : 1.75;
      c.beginPath();
      c.moveTo(middle.x + dial * Math.cos(angle), middle.y + dial * Math.sin(angle));
      c.lineTo(
        middle.x + (dial + reach) * Math.cos(angle),
        middle.y + (dial + reach) * Math.sin(angle),
      );
      c.stroke();
    }
    if (!this.recording) return;
    c.strokeStyle = lit;
    c.lineWidth = 4;
    c.beginPath();
    c.arc(middle.x, middle.y, dial - 9, -Math.PI / 2, -Math.PI / 2 + passed * 2 * Math.PI);
    c.stroke();
  }

  drawLevel() {
    const { context: c, width, height } = prepare(this.level);
    const segments = Math.floor(width / 8);
    const share = this.recording ? Math.min(Math.max((this.loudness + 60) / 60, 0), 1) : 0;
    const [low, high, off] = [colour("level"), colour("record"), colour("tick")];
    for (let i = 0; i < segments; i++) {
      const on = i / segments < share;
      c.fillStyle = on ? (i / segments > 0.9 ? high : low) : off;
      c.globalAlpha = on ? 1 : 0.5;
      c.fillRect(i * 8, 0, 5, height);
    }
    c.globalAlpha = 1;
  }
}

// The spectrum runs up one side of the dial and down the other, bass at the bottom.
const mirror = (i) => {
  const fromTop = Math.min(i, TICKS - i) / (TICKS / 2);
  return Math.min(TICKS - 1, Math.round((1 - fromTop) * TICKS));
};

const noteY = (middle, step) => middle + GAP * 2 - (step * GAP) / 2;

function drawNote(c, x, y, step, alpha) {
  c.save();
  c.globalAlpha = alpha;
  c.fillStyle = c.strokeStyle = colour("ink");
  c.lineWidth = 1.6;
  const up = step < 4;
  c.beginPath();
  c.moveTo(x + (up ? 7.4 : -7.4), y);
  c.lineTo(x + (up ? 7.4 : -7.4), y + (up ? -54 : 54));
  c.stroke();
  if (step < -1 || step > 9) c.strokeRect(x - 13, y, 26, 0);
  c.beginPath();
  c.ellipse(x, y, 8.6, 6.2, -0.38, 0, 2 * Math.PI);
  c.fill();
  c.restore();
}
