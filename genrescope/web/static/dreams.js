// What the net takes for a genre: a few seconds that `genrescope dream` made, from where the page is.

import { $ } from "./dom.js";
import { bundle, genres } from "./dreamt.js";
import { genreName, t } from "./text.js";
import { isMusic } from "./words.js";

export class Dreams {
  /** `onPlay()` is called before a dream plays. */
  constructor({ onPlay }) {
    this.onPlay = onPlay;
    this.genre = null;
    this.audio = new Audio();
    this.audio.preload = "none";
    for (const event of ["play", "pause", "ended"])
      this.audio.addEventListener(event, () => this.#say());
    this.audio.addEventListener("error", () => ($("dream").hidden = true));
    $("dream").addEventListener("click", () => this.#toggle());
  }

  /** Another answer is shown, or none (null): only the net that dreamt has its dream played. */
  show(answer) {
    this.pause();
    const there = answer && isMusic(answer) && answer.bundle === bundle;
    this.genre = there && genres.includes(answer.genre) ? answer.genre : null;
    $("dream").hidden = !this.genre;
    if (this.genre) {
      this.audio.src = new URL(`dreams/${this.genre}.ogg`, import.meta.url).href;
      this.#say();
    }
  }

  pause() {
    this.audio.pause();
  }

  #toggle() {
    if (!this.audio.paused) return this.audio.pause();
    this.onPlay();
    this.audio.currentTime = 0;
    return this.audio.play().catch(() => ($("dream").hidden = true));
  }

  #say() {
    if (!this.genre) return;
    const key = this.audio.paused ? "dream.hear" : "dream.stop";
    $("dream").textContent = t(key, { genre: genreName(this.genre) });
  }
}
