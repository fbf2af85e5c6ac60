// What was heard: the genre, how sure that is, the bars.

import { $, make } from "./dom.js";
import { fit } from "./fit.js";
import { hue } from "./hues.js";
import { genreName, percent, t } from "./text.js";
import * as words from "./words.js";

const LONG_NAME = 14; // letters

/** Shows the verdict of an answer; `onWhy(genre)`, if any, explains the genre that is pressed. */
export function showVerdict(answer, onWhy = null) {
  const ranking = words.ranked(answer);
  const silent = words.isSilent(answer);
  const isMusic = words.isMusic(answer);
  $("verdict-lead").textContent = words.eyebrow(answer);
  $("genre").className = `genre ${isMusic ? hue(answer.genre) : "genre-none"}`;
  fit($("genre"), words.headline(answer));
  $("confidence").textContent = words.confidence(answer);
  $("flags").replaceChildren(...words.remarks(answer).map((text) => make("li", { text })));
  $("bars-title").textContent = words.barsTitle(answer, ranking.length);
  const longest = Math.max(...ranking.map(([label]) => genreName(label).length));
  $("bars").classList.toggle("bars-long", longest > LONG_NAME);
  $("bars").replaceChildren(...ranking.map(([label, p]) => bar(label, silent ? 0 : p, silent, onWhy)));
  $("bars-note").hidden = !onWhy;
}

function bar(label, p, silent, onWhy) {
  const fill = make("span", { className: "bar-fill" });
  fill.style.setProperty("--share", p);
  const number = silent ? "–" : percent(p);
  const row = [
    make("span", { className: "bar-name", text: genreName(label) }),
    make("span", { className: "bar-line", "aria-hidden": "true" }, fill),
    make("span", { className: "bar-number", text: number }),
  ];
  if (!onWhy) return make("li", { className: `bar ${hue(label)}` }, ...row);
  const title = t("why.title", { genre: genreName(label) });
  const button = make("button", { type: "button", className: "bar-why", title });
  button.append(...row);
  button.addEventListener("click", () => onWhy(label));
  return make("li", { className: `bar ${hue(label)}` }, button);
}
