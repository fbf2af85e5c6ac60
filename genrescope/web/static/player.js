// One waveform and one clock for all versions of a sound: as it was, more beautiful, and the parts
// of it that an explanation is made of.

import { $, colour, prepare } from "./dom.js";
import { clock, t } from "./text.js";

const STEPS = {
  ArrowRight: 1,
  ArrowUp: 1,
  ArrowLeft: -1,
  ArrowDown: -1,
  PageUp: 10,
  PageDown: -10,
}; // s
export const PARTS = ["decided", "indifferent", "against"];
const VERSIONS = ["original", "polished", ...PARTS];
const switches = () => document.querySelectorAll('input[name="version"]');

export class Player {
  /** `onPlay()` is called when it starts to play, `onUnplayable(version)` when it cannot. */
  constructor({ onPlay, onUnplayable }) {
    this.voices = Object.fromEntries(VERSIONS.map((name) => [name, this.#voice(name)]));
    this.version = "original";
    this.onPlay = onPlay;
    this.onUnplayable = onUnplayable;
    $("play").addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    $("seek").addEventListener("input", () => this.seek(Number($("seek").value)));
    $("seek").addEventListener("keydown", (event) => {
      if (!(event.key in STEPS)) return;
      event.preventDefault(); // the slider's own step is as fine as a finger
      this.seek(Math.max(0, this.time + STEPS[event.key]));
    });
    for (const input of switches()) {
      input.addEventListener("change", () => this.choose(input.value));
    }
    new ResizeObserver(() => this.draw()).observe($("wave-canvas"));
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", () => this.draw());
    }
    this.clear();
  }

  #voice(name) {
    const audio = $(`audio-${name}`);
    const voice = { audio, url: null, peaks: null, onsets: null, ready: false };
    const mine = () => this.voices[this.version] === voice;
    audio.addEventListener("play", () => {
      this.showPlaying();
      this.onPlay();
      this.#follow();
    });
    for (const kind of ["pause", "ended", "seeked"]) {
      audio.addEventListener(kind, () => mine() && this.showPlaying());
    }
    audio.addEventListener("error", () => audio.hasAttribute("src") && this.#unplayable(name));
    return voice;
  }

  get voice() {
    return this.voices[this.version];
  }

  get time() {
    return this.voice.audio.currentTime;
  }

  get playing() {
    return !this.voice.audio.paused;
  }

  clear() {
    for (const name of VERSIONS) this.drop(name);
    this.version = "original";
    this.duration = 0;
    $("playhead").hidden = true;
    this.#showVersions();
    this.showPlaying();
  }

  /** Forgets one version. */
  drop(name) {
    const voice = this.voices[name];
    voice.audio.pause();
    voice.audio.removeAttribute("src");
    voice.audio.load();
    if (voice.url) URL.revokeObjectURL(voice.url);
    Object.assign(voice, { url: null, peaks: null, onsets: null, ready: false });
    $(`save-${name}`).hidden = true;
  }

  /**
   * Takes one version of the sound, as `prepareSound` made it ready. `save` is what to offer for
   * download, as { blob, name }.
   */
  load(name, { blob, peaks, onsets }, { seconds, save }) {
    this.drop(name);
    const voice = this.voices[name];
    voice.url = URL.createObjectURL(blob);
    voice.audio.src = voice.url;
    Object.assign(voice, { peaks, onsets, ready: true });
    this.offer(name, save);
    this.duration = seconds;
    $("seek").max = seconds;
    $("total").textContent = clock(seconds);
    this.#showVersions();
    this.showPlaying();
  }

  /** Offers a version for download, whether it can be played or not. */
  offer(name, { blob, name: fileName }) {
    const link = $(`save-${name}`);
    if (link.dataset.url) URL.revokeObjectURL(link.dataset.url);
    link.dataset.url = link.href = URL.createObjectURL(blob);
    link.download = fileName;
    link.hidden = false;
  }

  /** Forgets the parts of an explanation; what plays goes on with the whole. */
  dropParts() {
    if (PARTS.includes(this.version)) this.choose("original");
    for (const name of PARTS) this.drop(name);
    this.#showVersions();
    this.draw();
  }

  /** Goes on with another version, at the same moment. */
  choose(name) {
    if (name === this.version || !this.voices[name].ready) return this.#showVersions();
    const { time, playing } = this;
    this.voice.audio.pause();
    this.version = name;
    this.voice.audio.currentTime = Math.min(time, this.duration);
    if (playing) this.play();
    this.#showVersions();
    this.showPlaying();
  }

  async play() {
    if (!this.voice.ready) return;
    if (this.time >= this.duration - 0.05) this.seek(0);
    try {
      await this.voice.audio.play();
    } catch (error) {
      if (error.name === "NotSupportedError") this.#unplayable(this.version);
    }
  }

  pause() {
    this.voice.audio.pause();
  }

  seek(seconds) {
    if (!this.voice.ready) return;
    this.voice.audio.currentTime = Math.min(seconds, this.duration);
    this.#showTime();
  }

  playFrom(seconds) {
    this.seek(seconds);
    this.play();
  }

  #unplayable(name) {
    this.voices[name].ready = false;
    if (name === this.version && name === "original" && this.voices.polished.ready)
      this.choose("polished");
    this.#showVersions();
    this.showPlaying();
    this.onUnplayable(name);
  }

  #showVersions() {
    for (const input of switches()) {
      input.disabled = !this.voices[input.value].ready;
      input.checked = input.value === this.version;
    }
    $("sound").dataset.version = this.version;
    $("sound").dataset.ready = String(this.voice.ready);
    $("play").disabled = $("seek").disabled = !this.voice.ready;
  }

  showPlaying() {
    $("play-icon").setAttribute("href", `#icon-${this.playing ? "pause" : "play"}`);
    $("play").setAttribute("aria-label", t(this.playing ? "sound.pause" : "sound.play"));
    this.#showTime();
  }

  #follow() {
    this.#showTime();
    if (this.playing) requestAnimationFrame(() => this.#follow());
  }

  #showTime() {
    const { time, duration } = this;
    $("seek").value = time;
    $("now").textContent = clock(time);
    $("seek").setAttribute(
      "aria-valuetext",
      t("sound.time", { now: clock(time), total: clock(duration) }),
    );
    if (time > 0) $("playhead").hidden = false;
    $("playhead").style.left = `${Math.min(time / (duration || 1), 1) * 100}%`;
    this.draw();
  }

  draw() {
    const { context: c, width, height } = prepare($("wave-canvas"));
    if (!width) return;
    const played = this.duration ? this.time / this.duration : 0;
    const n = Math.floor(width / 4);
    const [lit, unlit] = [colour("accent"), colour("wave")];
    const { peaks, ready } = this.voice;
    const even = ready ? 0.35 : 0; // a sound without a picture is not a silent one
    // All versions on one scale, so that the louder one looks louder.
    const all = VERSIONS.map((name) => this.voices[name].peaks).filter(Boolean);
    const top = Math.max(0.02, ...all.map((each) => Math.max(...each)));
    for (let i = 0; i < n; i++) {
      const peak = peaks ? peaks[Math.floor((i / n) * peaks.length)] / top : even;
      const tall = Math.max(2, peak * (height - 4));
      c.fillStyle = this.duration && i / n < played ? lit : unlit;
      c.fillRect(i * 4, (height - tall) / 2, 2.5, tall);
    }
  }
}
