// The two players: the recording as it was, and its more beautiful version.

import { $, colour, prepare } from "./dom.js";
import { clock } from "./words.js";

const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }; // s

export class Player {
  /** `onTime(seconds)` follows the replay; `onPlay(player)` is called when it starts. */
  constructor(section, { name, onTime, onPlay }) {
    this.section = section;
    this.name = name;
    section.append($("player-parts").content.cloneNode(true));
    this.parts = Object.fromEntries(
      [...section.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]),
    );
    const { audio, play, seek, wave } = this.parts;
    seek.setAttribute("aria-label", `Position in ${name}`);
    this.showPlaying(false);
    play.addEventListener("click", () => (audio.paused ? this.play() : this.pause()));
    seek.addEventListener("input", () => this.seek(Number(seek.value)));
    seek.addEventListener("keydown", (event) => {
      if (!(event.key in STEPS)) return;
      event.preventDefault(); // the slider's own step is as fine as a finger
      this.seek(Math.max(0, this.time + STEPS[event.key]));
    });
    audio.addEventListener("play", () => {
      this.showPlaying(true);
      onPlay(this);
    });
    audio.addEventListener("pause", () => this.showPlaying(false));
    audio.addEventListener("ended", () => this.showPlaying(false));
    audio.addEventListener("error", () => audio.hasAttribute("src") && this.showUnplayable());
    audio.addEventListener("seeked", () => this.showTime());
    this.onTime = onTime;
    new ResizeObserver(() => this.draw()).observe(wave);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.clear();
  }

  get time() {
    return this.parts.audio.currentTime;
  }

  get playing() {
    return !this.parts.audio.paused;
  }

  get ready() {
    return this.section.dataset.ready === "true";
  }

  clear() {
    const { audio, download } = this.parts;
    audio.pause();
    this.showPlaying(false); // without a source it will not say so itself
    audio.removeAttribute("src");
    audio.load();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.duration = 0;
    this.peaks = null;
    download.hidden = true;
    this.setReady(false);
    this.showTime();
    this.draw();
  }

  /** Takes a sound that `prepareSound` made; `download` is the name to save it under, if any. */
  load({ blob, peaks }, { seconds, download = null }) {
    this.clear();
    this.url = URL.createObjectURL(blob);
    this.duration = seconds;
    this.peaks = peaks;
    const { audio, seek, total, download: link } = this.parts;
    audio.src = this.url;
    seek.max = seconds;
    total.textContent = clock(seconds);
    if (download) {
      link.href = this.url;
      link.download = download;
      link.hidden = false;
    }
    this.setReady(true);
    this.showTime();
    this.draw();
  }

  async play() {
    try {
      await this.parts.audio.play();
    } catch (error) {
      if (error.name === "NotSupportedError") this.showUnplayable();
      else if (error.name === "NotAllowedError") this.note("The browser wants you to press Play.");
    }
  }

  pause() {
    this.parts.audio.pause();
  }

  seek(seconds) {
    if (!this.ready) return;
    this.parts.audio.currentTime = Math.min(seconds, this.duration);
    this.showTime();
  }

  note(words) {
    const { note } = this.parts;
    if (note.textContent !== words) note.textContent = words; // it is spoken each time
  }

  setReady(ready) {
    this.section.dataset.ready = String(ready);
    this.parts.play.disabled = this.parts.seek.disabled = !ready;
  }

  showUnplayable() {
    this.setReady(false);
    this.note("This browser cannot play this format. The more beautiful version plays everywhere.");
  }

  showPlaying(playing) {
    const { play, "play-icon": icon } = this.parts;
    icon.setAttribute("href", `#${playing ? "pause" : "play"}`);
    play.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${this.name}`);
    if (playing) this.follow();
  }

  follow() {
    this.showTime();
    this.onTime(this.time);
    if (this.playing) requestAnimationFrame(() => this.follow());
  }

  showTime() {
    const { seek, now } = this.parts;
    seek.value = this.time;
    now.textContent = clock(this.time);
    seek.setAttribute("aria-valuetext", `${clock(this.time)} of ${clock(this.duration)}`);
    this.draw();
  }

  draw() {
    const { context: c, width, height } = prepare(this.parts.wave);
    if (!width) return;
    const played = this.duration ? this.time / this.duration : 0;
    const n = Math.floor(width / 4);
    const [lit, unlit] = [colour("accent"), colour("wave")];
    const even = this.ready ? 0.35 : 0; // a sound without a picture is not a silent one
    const top = this.peaks ? Math.max(...this.peaks, 0.02) : 1;
    for (let i = 0; i < n; i++) {
      const peak = this.peaks ? this.peaks[Math.floor((i / n) * this.peaks.length)] / top : even;
      const tall = Math.max(2, peak * (height - 4));
      c.fillStyle = this.duration && i / n < played ? lit : unlit;
      c.fillRect(i * 4, (height - tall) / 2, 2.5, tall);
    }
  }
}
