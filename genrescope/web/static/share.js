// A result to show to others: a link that holds the figures alone, and a picture.

import { $ } from "./dom.js";
import { drawCard } from "./card.js";
import { t } from "./text.js";
import { headline } from "./words.js";

const MARK = "#heard=";
const MAX_LABELS = 40;
const MAX_SEGMENTS = 400;
const LONGEST_NAME = 100; // letters, as of a bundle's labels
const FLAGS = ["silent", "short", "truncated", "uncertain", "no music"];

const encode = (text) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

const decode = (text) =>
  new TextDecoder().decode(
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0)),
  );

/** The address of a result: its figures, and nothing of the sound or of what it was called. */
export function linkTo(answer) {
  const labels = Object.keys(answer.probabilities);
  const timeline = answer.timeline
    .slice(0, MAX_SEGMENTS)
    .map(({ start, end, label, probability }) => [
      Math.round(start * 10),
      Math.round(end * 10),
      labels.indexOf(label),
      Math.round(probability * 100),
    ]);
  const figures = {
    g: labels.indexOf(answer.genre),
    p: labels.map((label) => [label, Math.round(answer.probabilities[label] * 1e4)]),
    s: answer.genres.map((label) => labels.indexOf(label)),
    t: timeline,
    d: Math.round(answer.duration_s * 10),
    f: answer.flags,
    b: answer.bundle,
  };
  const url = new URL(document.body.dataset.root, location.href);
  url.hash = MARK + encode(JSON.stringify(figures));
  return url.href;
}

const number = (value, low, high) => {
  if (typeof value !== "number" || !(value >= low && value <= high))
    throw new TypeError("no such figure");
  return value;
};

const text = (value) => {
  if (typeof value !== "string" || !value || value.length > LONGEST_NAME) throw new TypeError("no name");
  return value.replace(/\p{C}/gu, "");
};

const list = (value, most) => {
  if (!Array.isArray(value) || value.length > most) throw new TypeError("no list");
  return value;
};

/** The answer that an address holds, or null. It may come from anybody, so nothing is believed. */
export function answerOf(hash) {
  if (!hash.startsWith(MARK)) return null;
  try {
    const { g, p, s, t: stretches, d, f, b } = JSON.parse(decode(hash.slice(MARK.length)));
    const pairs = list(p, MAX_LABELS).map(([label, share]) => [
      text(label),
      number(share, 0, 1e4) / 1e4,
    ]);
    const labels = pairs.map(([label]) => label);
    const named = (i) => labels[number(i, 0, labels.length - 1)];
    const duration = number(d, 0, 1e7) / 10;
    let at = 0;
    const timeline = list(stretches, MAX_SEGMENTS).map(([start, end, i, share]) => {
      const segment = {
        start: number(start / 10, at, duration),
        end: number(end / 10, start / 10, duration + 0.1),
        label: named(i),
        probability: number(share, 0, 100) / 100,
      };
      at = segment.end;
      return segment;
    });
    const genre = g === -1 ? null : named(g);
    const probabilities = Object.fromEntries(pairs);
    return {
      genre,
      confidence: genre === null ? 0 : probabilities[genre],
      genres: list(s, MAX_LABELS).map(named),
      probabilities,
      timeline,
      duration_s: duration,
      flags: FLAGS.filter((flag) => list(f, 10).includes(flag)),
      bundle: text(b),
      spectrogram: null,
    };
  } catch {
    return null;
  }
}

let shared = null; // { answer, url, file } of what the dialog shows

/** Opens the dialog that offers the picture and the link of an answer. */
export async function offerShare(answer) {
  const dialog = $("share-dialog");
  drawCard($("card"), answer);
  $("card").setAttribute("aria-label", t("share.picture", { genre: headline(answer) }));
  $("share-url").value = linkTo(answer);
  $("share-said").textContent = "";
  dialog.showModal();
  const blob = await new Promise((resolve) => $("card").toBlob(resolve, "image/png"));
  if (shared) URL.revokeObjectURL(shared.url);
  const name = `${headline(answer).replace(/[^\p{L}\p{N}]+/gu, "-")} Genrescope.png`;
  shared = {
    answer,
    url: URL.createObjectURL(blob),
    file: new File([blob], name, { type: "image/png" }),
  };
  $("share-save").href = shared.url;
  $("share-save").download = name;
  $("share-send").hidden = !navigator.canShare?.({ files: [shared.file] });
}

async function copy() {
  try {
    await navigator.clipboard.writeText($("share-url").value);
    $("share-said").textContent = t("share.copied");
  } catch {
    $("share-url").select();
    $("share-said").textContent = t("share.select");
  }
}

async function sendTo() {
  try {
    await navigator.share({
      files: [shared.file],
      url: $("share-url").value,
      title: headline(shared.answer),
    });
  } catch (error) {
    if (error.name !== "AbortError") $("share-said").textContent = t("share.failed");
  }
}

export function prepareShare() {
  $("share-copy").addEventListener("click", copy);
  $("share-send").addEventListener("click", sendTo);
  $("share-close").addEventListener("click", () => $("share-dialog").close());
  $("share-dialog").addEventListener("click", (event) => {
    if (event.target === $("share-dialog")) $("share-dialog").close(); // outside
  });
}
