// A guess while the music still plays, surer the longer it has listened.

import * as api from "./api.js";
import { $, make } from "./dom.js";
import { hue } from "./hues.js";
import { genreName, roughly, t } from "./text.js";
import { isMusic } from "./words.js";

const FIRST_S = 3;
const EVERY_MS = 2000;
const KEY = "genrescope live";

/** Whether to guess at all: as was chosen here before. */
export function remembered() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true; // a browser that keeps nothing
  }
}

export function remember(on) {
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // It will be asked for again.
  }
}

export class LiveGuess {
  /** Guesses at `recording` until `stop()`; one request at a time, whatever the server does. */
  constructor(recording, { bundle }) {
    this.recording = recording;
    this.bundle = bundle;
    this.leaving = new AbortController();
    this.timer = setTimeout(() => this.ask(), FIRST_S * 1000 - recording.elapsed * 1000);
  }

  async ask() {
    const asked = performance.now();
    const { signal } = this.leaving;
    try {
      const answer = await api.guess(this.recording, { bundle: this.bundle, signal });
      if (signal.aborted) return;
      if (answer) show(answer);
    } catch {
      if (signal.aborted) return; // else the whole answer may still come
    }
    const passed = performance.now() - asked;
    this.timer = setTimeout(() => this.ask(), Math.max(EVERY_MS - passed, EVERY_MS / 4));
  }

  stop() {
    clearTimeout(this.timer);
    this.leaving.abort();
    clear();
  }
}

export function clear() {
  $("guess").replaceChildren();
}

function show(answer) {
  if (answer.genre === null) return clear();
  const known = isMusic(answer);
  const name = known ? genreName(answer.genre) : t("guess.nomusic");
  const words = make("span", { className: "guess-name", text: name });
  const line = make("span", { className: "guess-line", "aria-hidden": "true" });
  const sure = known ? answer.confidence : 0;
  const lead = make("span", {
    className: "guess-lead",
    text: t(sure >= 0.7 ? "guess.sure" : "guess.perhaps"),
  });
  const share = make("span", {
    className: "guess-share",
    "aria-hidden": "true",
    text: known ? roughly(sure) : "",
  });
  const box = make(
    "span",
    { className: `guess-box ${known ? hue(answer.genre) : ""}` },
    lead,
    " ",
    words,
    line,
    share,
  );
  box.style.setProperty("--sure", sure);
  const before = $("guess").textContent;
  if (before === box.textContent) return; // not to be spoken twice
  $("guess").replaceChildren(box);
}
