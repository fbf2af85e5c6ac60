// The tries of this visit, side by side: each with its genre, picture and replay; two to compare.

import { $, icon, make, offer } from "./dom.js";
import { hue } from "./hues.js";
import { paint } from "./scope.js";
import { clock, count, genreName, percent, t } from "./text.js";
import { headline, isMusic, isSilent, ranked } from "./words.js";

const audio = () => $("audio-try");

/** What a fault says, without the recording's name where it begins with it. */
function nameless(error, name) {
  if (!error.startsWith(`${name}: `)) return error;
  const rest = error.slice(name.length + 2);
  return rest[0].toUpperCase() + rest.slice(1);
}

export class Tries {
  /**
   * `onOpen(attempt)` shows one in full, `onRetry(attempt)` sends one again that failed;
   * `onPlay()` is called when one of them starts to play.
   */
  constructor({ onOpen, onRetry, onPlay }) {
    this.all = [];
    this.current = null; // id
    this.compared = []; // ids, at most two
    this.playing = null; // id
    this.onOpen = onOpen;
    this.onRetry = onRetry;
    audio().addEventListener("play", onPlay);
    for (const kind of ["play", "pause", "ended"]) {
      audio().addEventListener(kind, () => this.showPlaying());
    }
    audio().addEventListener("error", () => {
      if (!audio().hasAttribute("src")) return;
      this.playing = null;
      this.showPlaying();
    });
  }

  add(attempt) {
    const id = this.all.reduce((highest, { id: other }) => Math.max(highest, other), 0) + 1;
    const added = { id, ...attempt };
    this.all.push(added);
    return added;
  }

  find(id) {
    return this.all.find((attempt) => attempt.id === id) ?? null;
  }

  clear() {
    this.stop();
    Object.assign(this, { all: [], current: null, compared: [] });
    this.show();
  }

  show() {
    $("visit").classList.toggle("alone", this.all.filter(({ answer }) => answer).length < 2);
    $("visit-note").textContent = count("visit.count", this.all.length);
    $("tries").replaceChildren(...[...this.all].reverse().map((attempt) => this.row(attempt)));
    this.showPlaying();
    this.showCompared();
  }

  row(attempt) {
    const { id, name, answer, error, sound } = attempt;
    const cell = (className, ...children) => make("td", { className }, ...children);
    const replay = make(
      "button",
      { type: "button", className: "try-button", "data-id": id },
      icon("play"),
    );
    replay.disabled = !sound;
    replay.addEventListener("click", () => this.toggle(attempt));
    if (!answer) {
      const reason = nameless(error, name);
      const words = make("p", { text: reason });
      if (sound) offer(words, reason, t("retry"), () => this.onRetry(attempt));
      const called = make("p", { className: "try-called", text: name });
      const told = make("td", { className: "try-error", colspan: 4 }, called, words);
      const row = make("tr", { className: "try try-failed" });
      row.append(
        cell("try-pick"),
        cell("try-picture"),
        told,
        cell("try-play", ...(sound ? [replay] : [])),
      );
      return row;
    }
    const box = make("input", {
      type: "checkbox",
      "data-id": id,
      "aria-label": t("visit.pick", { name }),
    });
    box.checked = this.compared.includes(id);
    box.addEventListener("change", () => this.pick(id, box.checked));
    const picture = make("canvas", { className: "try-canvas", "aria-hidden": "true" });
    if (answer.spectrogram) paint(picture, answer.spectrogram);
    const open = make("button", {
      type: "button",
      className: "quiet try-open",
      text: headline(answer),
    });
    open.addEventListener("click", () => this.onOpen(attempt));
    if (id === this.current) open.setAttribute("aria-current", "true");
    const sure = isMusic(answer) ? percent(answer.confidence) : "–";
    return make(
      "tr",
      { className: `try ${isMusic(answer) ? hue(answer.genre) : ""}` },
      cell("try-pick", make("label", { className: "tap" }, box)),
      cell("try-picture", picture),
      make("th", { scope: "row", className: "try-genre" }, open),
      cell("try-sure", sure),
      cell("try-name", name),
      cell("try-length", clock(answer.duration_s)),
      cell("try-play", replay),
    );
  }

  pick(id, on) {
    const rest = this.compared.filter((other) => other !== id);
    this.compared = on ? [...rest, id].slice(-2) : rest;
    for (const box of $("tries").querySelectorAll("input")) {
      box.checked = this.compared.includes(Number(box.dataset.id));
    }
    this.showCompared();
  }

  /** Plays a try, or pauses it. */
  toggle(attempt) {
    if (this.playing === attempt.id && !audio().paused) return audio().pause();
    if (this.playing !== attempt.id) {
      this.stop();
      this.url = URL.createObjectURL(attempt.sound.blob);
      audio().src = this.url;
      this.playing = attempt.id;
    }
    audio()
      .play()
      .catch(() => this.showPlaying());
  }

  pause() {
    audio().pause();
  }

  stop() {
    audio().pause();
    audio().removeAttribute("src");
    audio().load();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.playing = null;
  }

  showPlaying() {
    for (const button of document.querySelectorAll("#visit .try-button")) {
      const attempt = this.find(Number(button.dataset.id));
      const on = attempt?.id === this.playing && !audio().paused;
      button.querySelector("use").setAttribute("href", `#icon-${on ? "pause" : "play"}`);
      button.setAttribute(
        "aria-label",
        t(on ? "visit.pause" : "visit.play", { name: attempt?.name ?? "" }),
      );
    }
  }

  showCompared() {
    const pair = this.compared.map((id) => this.find(id)).filter(Boolean);
    $("versus").hidden = pair.length < 2;
    if (pair.length < 2) return $("versus-body").replaceChildren();
    $("versus-body").replaceChildren(...versus(...pair));
  }
}

/** Two answers, genre by genre. */
function versus(one, other) {
  const pair = [one, other];
  const heads = pair.map(({ name, answer }, i) =>
    make(
      "div",
      { className: `versus-head versus-${i} ${isMusic(answer) ? hue(answer.genre) : ""}` },
      make("p", { className: "versus-genre", text: headline(answer) }),
      make("p", { className: "faint", text: name }),
    ),
  );
  const labels = [...new Set(pair.flatMap(({ answer }) => ranked(answer).map(([label]) => label)))];
  const share = ({ answer }, label) => (isSilent(answer) ? 0 : (answer.probabilities[label] ?? 0));
  labels.sort(
    (a, b) => Math.max(...pair.map((p) => share(p, b))) - Math.max(...pair.map((p) => share(p, a))),
  );
  const rows = labels.map((label) =>
    make(
      "tr",
      { className: hue(label) },
      make("th", { scope: "row", text: genreName(label) }),
      ...pair.map((attempt) => {
        const fill = make("span", { className: "versus-fill" });
        fill.style.setProperty("--share", share(attempt, label));
        const line = make("span", { className: "versus-line", "aria-hidden": "true" }, fill);
        const { answer } = attempt;
        const told = !isSilent(answer) && label in answer.probabilities;
        const words = told ? percent(answer.probabilities[label]) : "–";
        return make("td", {}, line, make("span", { text: words }));
      }),
    ),
  );
  const columns = pair.map(({ name }) => make("th", { scope: "col", text: name }));
  return [
    make("div", { className: "versus-heads" }, ...heads),
    make(
      "table",
      { className: "versus-table" },
      make(
        "thead",
        {},
        make("tr", {}, make("th", { scope: "col", text: t("visit.genre") }), ...columns),
      ),
      make("tbody", {}, ...rows),
    ),
  ];
}

/** The tries as a table for a spreadsheet (RFC 4180). */
export function csv(tries) {
  const labels = [
    ...new Set(tries.flatMap(({ answer }) => Object.keys(answer?.probabilities ?? {}))),
  ];
  const rows = tries.map(({ name, answer, error }) => [
    name,
    answer?.genre ?? "",
    answer && !isSilent(answer) ? answer.confidence : "",
    answer ? answer.flags.join(" ") : "",
    answer?.duration_s ?? "",
    ...labels.map((label) =>
      answer && !isSilent(answer) ? (answer.probabilities[label] ?? "") : "",
    ),
    error ?? "",
  ]);
  const head = ["file", "genre", "confidence", "flags", "duration_s", ...labels, "error"];
  return [head, ...rows].map((row) => row.map(field).join(",") + "\r\n").join("");
}

function field(value) {
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`; // no formula of anybody's
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
