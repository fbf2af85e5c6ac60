// The sound as it was and the more beautiful one, side by side.

import * as api from "./api.js";
import { $, offer } from "./dom.js";
import { Player } from "./player.js";
import { prepareSound } from "./sound.js";
import { lufs } from "./words.js";

const POLISH_AT_ONCE_S = 60; // longer files are polished when asked for

export class Replay {
  constructor() {
    const options = {
      onTime: (seconds) => this.follow(seconds),
      onPlay: (player) => this.solo(player),
    };
    this.original = new Player($("original"), { name: "your sound", ...options });
    this.polished = new Player($("polished"), { name: "the more beautiful version", ...options });
    this.heard = this.original; // the player that was used last
    $("compare").addEventListener("click", () => this.compare());
  }

  clear() {
    this.heard = this.original;
    this.original.clear();
    this.polished.clear();
    this.polished.note("");
    $("playhead").hidden = true;
    $("compare").hidden = true;
  }

  /** Makes the sound ready to replay, until `signal` says that another one has taken its place. */
  async showOriginal(sound, { seconds, signal }) {
    this.original.note(sound.recorded ? "As it was recorded, untouched." : sound.name);
    const ready = await prepareSound(sound.blob, { seconds, rewrap: sound.recorded });
    if (signal.aborted) return;
    this.original.load(ready, { seconds });
    this.showCompare();
  }

  /** Asks for the more beautiful version: at once, or for a long recording when one wishes. */
  async showPolished(sound, { seconds, signal }) {
    if (seconds <= POLISH_AT_ONCE_S) {
      await this.beautify(sound, { seconds, signal });
      return;
    }
    offer(this.polished.parts.note, "A long recording takes a moment.", "Make it", (button) =>
      this.beautify(sound, { seconds, signal, asked: document.activeElement === button }),
    );
  }

  async beautify(sound, { seconds, signal, asked = false }) {
    const { polished } = this;
    polished.note("Taking the rumble and the hiss out, and a little polish on.");
    polished.section.setAttribute("aria-busy", "true");
    try {
      const { blob, before, after } = await api.polish(sound, {
        signal,
        onReceive: (share) => polished.note(`Bringing it back: ${Math.floor(share * 10) * 10} %.`),
      });
      const ready = await prepareSound(blob, { seconds });
      if (signal.aborted) return;
      const name = sound.recorded ? "recording" : sound.name.replace(/\.[^.]*$/, "");
      polished.load(ready, { seconds, download: `${name} (more beautiful).wav` });
      const loudness = before && after ? ` Loudness ${lufs(before)} to ${lufs(after)}.` : "";
      polished.note(`Less rumble and hiss, gentler tones, a little space.${loudness}`);
      this.showCompare();
      // Who pressed “Make it” has lost that button; the next one stands here.
      if (asked && document.activeElement === document.body) {
        polished.parts.play.focus({ preventScroll: true });
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!api.mayPass(error)) return polished.note(api.said(error));
      offer(polished.parts.note, api.said(error), "Try again", () =>
        this.beautify(sound, { seconds, signal, asked: true }),
      );
    } finally {
      polished.section.removeAttribute("aria-busy");
    }
  }

  pause() {
    this.original.pause();
    this.polished.pause();
  }

  /** Plays from `seconds` on: what was heard last, or what there is. */
  playFrom(seconds) {
    const player = [this.heard, this.original, this.polished].find((p) => p.ready);
    if (!player) return;
    player.seek(seconds);
    player.play();
  }

  compare() {
    const { heard, original, polished } = this;
    const other = heard === original ? polished : original;
    other.seek(heard.time >= heard.duration - 0.2 ? 0 : heard.time);
    other.play();
  }

  follow(seconds) {
    $("playhead").hidden = false;
    $("playhead").style.left = `${Math.min(seconds / (this.heard.duration || 1), 1) * 100}%`;
  }

  solo(player) {
    (player === this.original ? this.polished : this.original).pause();
    this.heard = player;
    this.showCompare();
  }

  showCompare() {
    const { heard, original, polished } = this;
    $("compare").hidden = !(original.ready && polished.ready);
    $("compare-label").textContent = !(original.playing || polished.playing)
      ? "Compare at the same moment"
      : heard === original
        ? "Now the more beautiful one"
        : "Now as it was";
  }
}
