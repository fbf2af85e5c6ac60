// Why a genre is named: seen on the spectrogram, said in words, heard in three parts.

import * as api from "./api.js";
import { $, announce, offer } from "./dom.js";
import { PARTS } from "./player.js";
import { paintReasons, reasons, truth } from "./reasons.js";
import { prepareSound } from "./sound.js";
import { genreName, t, whole } from "./text.js";
import { isMusic } from "./words.js";

const known = new WeakMap(); // try -> Map of genre -> explanation

/** Whether a try can be explained: there is music, its sound is here, and it is not too long. */
export const explicable = ({ answer, sound }) => Boolean(sound) && isMusic(answer);

export class Why {
  /**
   * `explain(error, name)` puts an error into words, `player` plays the parts; `ask(sound, options)`
   * explains, as `why` of api.js does.
   */
  constructor({ explain, player, ask = api.why }) {
    Object.assign(this, { explain, player, ask });
    this.attempt = null;
    this.asked = null; // the AbortController of what is under way
    this.opener = null;
    $("why-open").addEventListener("click", () => this.open(this.attempt.answer.genre));
    $("why-close").addEventListener("click", () => this.close());
    $("why").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    $("why-strength").addEventListener("input", () => this.#showStrength());
  }

  /** Another result is shown, or none (null). */
  show(attempt) {
    this.asked?.abort();
    this.attempt = attempt;
    this.opener = null;
    for (const id of ["why", "why-more", "overlay"]) $(id).hidden = true;
    $("why-open").hidden = !attempt || !explicable(attempt);
    this.player.dropParts();
  }

  close() {
    this.asked?.abort();
    this.player.dropParts();
    for (const id of ["why", "why-more", "overlay"]) $(id).hidden = true;
    (this.opener?.isConnected ? this.opener : $("why-open")).focus();
  }

  /** Explains a genre of the result that is shown. */
  async open(genre) {
    const { attempt } = this;
    this.asked?.abort();
    const asked = (this.asked = new AbortController());
    if (!$("why").contains(document.activeElement)) this.opener = document.activeElement;
    this.player.dropParts();
    $("why").hidden = false;
    for (const id of ["why-body", "why-more", "overlay"]) $(id).hidden = true;
    $("why-title").textContent = t("why.title", { genre: genreName(genre) });
    $("why-words").textContent = $("why-note").textContent = "";
    $("why-title").focus({ preventScroll: true });
    $("sound").scrollIntoView({ block: "start" });
    if (attempt.answer.duration_s > api.EXPLAINED_S) {
      $("why-note").textContent = t("why.long", { minutes: api.EXPLAINED_S / 60 });
      return;
    }
    try {
      const found = await this.#find(attempt, genre, asked.signal);
      if (!asked.signal.aborted) await this.#present(attempt, found, asked.signal);
    } catch (error) {
      if (error.name === "AbortError" || asked.signal.aborted) return;
      const words = this.explain(error, attempt.name);
      $("why-note").textContent = words;
      if (api.mayPass(error)) offer($("why-note"), words, t("retry"), () => this.open(genre));
    } finally {
      if (this.asked === asked) $("why-progress").hidden = true;
    }
  }

  async #find(attempt, genre, signal) {
    if (!known.has(attempt)) known.set(attempt, new Map());
    const found = known.get(attempt);
    if (found.has(genre)) return found.get(genre);
    $("why-note").textContent = t("why.work");
    $("why-progress").hidden = false;
    $("why-progress").removeAttribute("value");
    const explanation = await this.ask(attempt.sound, {
      genre,
      bundle: attempt.model,
      signal,
      onBusy: () => ($("why-note").textContent = t("hint.busy")),
      onStep: (share) => ($("why-progress").value = share),
    });
    found.set(genre, explanation);
    return explanation;
  }

  async #present(attempt, { figures, sounds }, signal) {
    const { answer, sound } = attempt;
    $("why-note").textContent = "";
    $("why-words").textContent = reasons(figures);
    $("why-truth").textContent = truth(figures);
    $("why-body").hidden = $("why-more").hidden = false;
    announce(reasons(figures));
    if (answer.spectrogram) {
      paintReasons($("overlay"), figures, answer);
      $("overlay").hidden = false;
      this.#showStrength();
    }
    $("why-seen").hidden = !answer.spectrogram;
    const seconds = answer.duration_s;
    const ready = await Promise.all(PARTS.map((name) => prepareSound(sounds[name], { seconds })));
    if (signal.aborted) return;
    PARTS.forEach((name, i) => {
      // Where nothing spoke against, there is nothing to hear of it.
      if (ready[i].peaks && Math.max(...ready[i].peaks) < 1e-3) return;
      const plain = sound.recorded ? t("save.recording") : sound.name.replace(/\.[^.]*$/, "");
      const of = `${genreName(figures.genre)}, ${t(`why.${name}.short`)}`;
      const suffix = api.SUFFIX[sounds[name].type] ?? "wav";
      const save = { blob: sounds[name], name: `${plain} (${of}).${suffix}` };
      this.player.load(name, ready[i], { seconds, save });
    });
  }

  #showStrength() {
    const strength = Number($("why-strength").value);
    $("overlay").style.opacity = strength;
    $("why-strength").setAttribute("aria-valuetext", whole(strength));
  }
}
