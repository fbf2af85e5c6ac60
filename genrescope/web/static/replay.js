// The sound of a result: as it was, and its more beautiful version as soon as that is made.

import * as api from "./api.js";
import { $, offer } from "./dom.js";
import { PARTS, Player } from "./player.js";
import { prepareSound } from "./sound.js";
import { lufs, t } from "./text.js";
import { isSilent } from "./words.js";

const AT_ONCE_S = 60; // longer sounds are polished when asked for
const AUDIBLY_LOUDER = 0.5; // LU

export class Replay {
  /** `explain(error, name)` puts an error into words; `onPlay()` is called when it plays. */
  constructor({ explain, onPlay }) {
    this.explain = explain;
    this.player = new Player({ onPlay, onUnplayable: sayUnplayable });
  }

  get duration() {
    return this.player.duration;
  }

  clear() {
    this.player.clear();
    $("sound-note").textContent = $("polish-note").textContent = "";
    $("versions").removeAttribute("aria-busy");
  }

  pause() {
    this.player.pause();
  }

  playFrom(seconds) {
    this.player.playFrom(seconds);
  }

  /**
   * Makes the sound of a try ready, until `signal` says that another has taken its place;
   * `polished` is the promise of its more beautiful version, if that is under way.
   */
  show(attempt, { signal, polished }) {
    if (!attempt.sound) {
      $("sound-note").textContent = t(attempt.shared ? "sound.shared" : "sound.gone");
      return;
    }
    this.#showOriginal(attempt, signal);
    if (isSilent(attempt.answer) || !api.polish) return; // without a server nobody can
    if (attempt.polished) this.#load(attempt, signal);
    else if (polished) this.#beautify(attempt, signal, { work: polished });
    else if (attempt.answer.duration_s <= AT_ONCE_S) this.#beautify(attempt, signal);
    else this.#offerPolish(attempt, signal);
  }

  async #showOriginal({ sound, answer }, signal) {
    $("sound-note").textContent = sound.recorded ? t("sound.recorded") : sound.name;
    this.player.offer("original", sound);
    const seconds = answer.duration_s;
    const ready = await prepareSound(sound.blob, { seconds, rewrap: sound.recorded });
    if (!signal.aborted) this.player.load("original", ready, { seconds, save: sound });
  }

  #offerPolish(attempt, signal) {
    offer($("polish-note"), t("polish.offer"), t("polish.make"), (button) =>
      this.#beautify(attempt, signal, { asked: document.activeElement === button }),
    );
  }

  async #beautify(attempt, signal, { work = null, asked = false } = {}) {
    const note = $("polish-note");
    note.textContent = t("polish.work");
    $("versions").setAttribute("aria-busy", "true");
    const onReceive = (share) => {
      note.textContent = t("polish.receive", { p: Math.floor(share * 10) * 10 });
    };
    try {
      attempt.polished = await (work ?? api.polish(attempt.sound, { signal, onReceive }));
      if (!signal.aborted) await this.#load(attempt, signal);
      // Who pressed “Make it” has lost that button; the next one stands here.
      if (asked && document.activeElement === document.body)
        $("play").focus({ preventScroll: true });
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      if (error.code === "long") return this.#offerPolish(attempt, signal);
      const words = this.explain(error, attempt.name);
      note.textContent = words;
      if (!api.mayPass(error)) return;
      offer(note, words, t("retry"), () => this.#beautify(attempt, signal, { asked: true }));
    } finally {
      if (!signal.aborted) $("versions").removeAttribute("aria-busy");
    }
  }

  async #load({ sound, answer, polished: { blob, before, after } }, signal) {
    const seconds = answer.duration_s;
    const ready = await prepareSound(blob, { seconds });
    if (signal.aborted) return;
    const plain = sound.recorded ? t("save.recording") : sound.name.replace(/\.[^.]*$/, "");
    const name = `${plain} (${t("save.suffix")}).${api.SUFFIX[blob.type] ?? "wav"}`;
    this.player.load("polished", ready, { seconds, save: { blob, name } });
    const louder = before && after && Math.abs(after - before) >= AUDIBLY_LOUDER;
    const levels = { before: lufs(before), after: lufs(after) };
    $("polish-note").textContent =
      t("polish.done") + (louder ? ` ${t("polish.loudness", levels)}` : "");
  }
}

function sayUnplayable(version) {
  if (PARTS.includes(version)) return ($("why-note").textContent = t("why.unplayable"));
  const isOriginal = version === "original";
  $(isOriginal ? "sound-note" : "polish-note").textContent = t(
    isOriginal ? "sound.unplayable" : "polish.unplayable",
  );
}
