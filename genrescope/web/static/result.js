// What was heard: the genre, the bars, the flags, the suggestions.

import { $, icon, make } from "./dom.js";
import { confidence, FLAGS, genreName, others, percent } from "./words.js";

let labels = [];

/** The colour class of a genre: its place among the bundle's labels. */
export const hue = (label) => `hue-${Math.max(labels.indexOf(label), 0) % 10}`;

/** Shows genre, words and bars of a classify answer; returns what to say aloud. */
export function showVerdict(answer) {
  labels = Object.keys(answer.probabilities);
  const ranking = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);
  const silent = answer.genre === null;
  const unsure = ["uncertain", "no music"].some((flag) => answer.flags.includes(flag));
  $("verdict-lead").textContent = silent ? "It hears" : unsure ? "Perhaps" : "It hears";
  $("genre").textContent = silent ? "Silence" : genreName(answer.genre);
  $("genre").className = `genre ${silent ? "" : hue(answer.genre)}`;
  $("confidence").textContent = silent
    ? ""
    : [confidence(ranking, answer.flags), others(answer.genres, answer.flags, labels.length)]
        .filter(Boolean)
        .join(" ");
  const told = answer.flags.filter((flag) => flag in FLAGS && !(silent && flag === "short"));
  const notes = told.map((flag) => FLAGS[flag]);
  $("flags").replaceChildren(...notes.map((text) => make("li", { text })));
  $("bars-title").textContent = `All ${COUNT[ranking.length] ?? ranking.length} genres`;
  $("bars").replaceChildren(...ranking.map(([label, p]) => bar(label, silent ? 0 : p, silent)));
  return [`${$("genre").textContent}.`, $("confidence").textContent, ...notes].join(" ");
}

const COUNT = { 2: "two", 10: "ten" };

function bar(label, p, silent) {
  const fill = make("span", { className: "bar-fill" });
  fill.style.setProperty("--share", p);
  return make(
    "li",
    { className: `bar ${hue(label)}` },
    make("span", { className: "bar-name", text: genreName(label) }),
    make("span", { className: "bar-line", "aria-hidden": "true" }, fill),
    make("span", { className: "bar-number", text: silent ? "–" : percent(p) }),
  );
}

export function clearTracks(note) {
  $("tracks").replaceChildren();
  $("similar-note").textContent = note;
}

export function showTracks(matches) {
  if (!matches.length) {
    clearTracks("Nothing to suggest for this one.");
    return;
  }
  $("similar-note").textContent = "What sounds most like it, among the tracks it learned from.";
  $("tracks").replaceChildren(...matches.map(track));
}

function track({ artist, title, genre, similarity, search_url: url }) {
  const name = [title, artist].filter(Boolean).join(" by ");
  const link = make(
    "a",
    { className: "track-link", href: url, target: "_blank", rel: "noopener noreferrer" },
    make("span", { className: "track-title", text: title ?? "Untitled" }),
    make("span", { className: "track-artist", text: artist ?? "Unknown artist" }),
    make("span", { className: "unseen", text: "search for it, opens a new tab" }),
    icon("out", "icon track-out"),
  );
  link.title = `Search for ${name}`;
  return make(
    "li",
    { className: `track ${hue(genre)}` },
    icon("disc", "track-disc"),
    link,
    make("span", { className: "track-genre", text: genreName(genre) }),
    make("span", {
      className: "track-likeness",
      text: `${Math.round(Math.max(similarity, 0) * 100)} % alike`,
    }),
  );
}
