// Tracks of the catalogue that sound alike: at most one by an artist and one of a work.

import { $, icon, make } from "./dom.js";
import { hue } from "./hues.js";
import { genreName, t } from "./text.js";

export const N_ASKED = 24; // of which those by one artist fall away
const N_SHOWN = 6;
const CLOSE = 0.42; // cosine; of the sixth nearest artists of GTZAN half are closer than that
const LEAST = 0.6; // of the closest; what is farther off than that would not be understood

const plain = (text) =>
  (text ?? "")
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();

/** What a title is of: without what stands in brackets, or after a comma, colon or dash. */
const work = (title) => plain((title ?? "").replace(/[([].*$/, "").split(/[:,;]| - /)[0]);

/** The best matches, so that no artist and no work is named twice. */
export function choose(matches) {
  const least = LEAST * (matches[0]?.similarity ?? 0);
  const artists = new Set();
  const works = new Set();
  const chosen = matches.filter(({ artist, title, similarity }) => {
    if (similarity < least) return false;
    const [by, of] = [plain(artist), work(title)];
    if ((by && artists.has(by)) || (of && works.has(of))) return false;
    artists.add(by);
    works.add(of);
    return true;
  });
  return chosen.slice(0, N_SHOWN);
}

export function clearTracks(note) {
  $("tracks").replaceChildren();
  $("similar-note").textContent = note;
}

/** Shows what `choose` chose. */
export function showTracks(matches) {
  if (!matches.length) return clearTracks(t("similar.none"));
  const sites = new Set(matches.map(({ search_url: url }) => site(url)));
  $("similar-note").textContent = t("similar.note", { site: [...sites].join(", ") });
  $("tracks").replaceChildren(...matches.map(track));
}

/** The name of the site that an address leads to. */
function site(url) {
  const host = new URL(url).hostname.replace(/^www\./, "");
  return { "youtube.com": "YouTube" }[host] ?? host;
}

const nearness = (similarity, i) => {
  if (i === 0) return t("similar.closest");
  return t(similarity >= CLOSE ? "similar.close" : "similar.near");
};

function track({ artist, title, genre, similarity, search_url: url }, i) {
  const link = make(
    "a",
    { className: "track-link", href: url, target: "_blank", rel: "noopener noreferrer" },
    make("span", { className: "track-title", text: title ?? t("similar.untitled") }),
    make("span", { className: "track-artist", text: artist ?? t("similar.unknown") }),
    make("span", { className: "unseen", text: t("similar.link", { site: site(url) }) }),
    icon("out", "icon track-out"),
  );
  return make(
    "li",
    { className: `track ${hue(genre)}` },
    icon("disc", "track-disc"),
    link,
    make("span", { className: "track-genre", text: genreName(genre) }),
    make("span", { className: "track-likeness", text: nearness(similarity, i) }),
  );
}
