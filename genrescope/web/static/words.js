// What the page says of an answer, in whole sentences.

import { count, either, genreName, has, percent, roughly, t, tenths } from "./text.js";

export const isSilent = (answer) => answer.genre === null;
export const isMusic = (answer) => !isSilent(answer) && !answer.flags.includes("no music");

/** [label, probability] of every genre, most probable first. */
export const ranked = (answer) => Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);

/** What stands in large letters: a genre, or that there is none to name. */
export function headline(answer) {
  if (isSilent(answer)) return t("headline.silence");
  return isMusic(answer) ? genreName(answer.genre) : t("headline.nomusic");
}

/** What stands over the headline. */
export function eyebrow(answer) {
  if (!isMusic(answer)) return t("eyebrow.sure");
  const unsure = ["uncertain", "short"].some((flag) => answer.flags.includes(flag));
  return t(unsure ? "eyebrow.unsure" : "eyebrow.sure");
}

/** How sure the model is, as a sentence or two. */
export function confidence(answer) {
  if (isSilent(answer)) return "";
  const [[first, p], [second, q] = [first, 0]] = ranked(answer);
  const values = {
    genre: genreName(first),
    p: roughly(p),
    second: genreName(second),
    q: roughly(q),
  };
  if (!isMusic(answer)) return t("sure.nomusic", values);
  const next = first === second ? "" : ` ${t("sure.next", values)}`;
  const more = others(answer);
  const end = more ? ` ${more}` : "";
  if (answer.flags.includes("uncertain")) return t("sure.uncertain", values) + end;
  if (answer.flags.includes("short")) return t("sure.short", values) + end;
  if (p >= 0.9) return t("sure.very", values) + end;
  if (p >= 0.7) return t("sure.quite", values) + next + end;
  if (p >= 0.5) return t("sure.rather", values) + next + end;
  return t("sure.cautious", values) + next + end;
}

/** The genres it may well be, where they are few and more than one. */
export function others({ genres, flags, probabilities }) {
  const total = Object.keys(probabilities).length;
  const few = genres.length > 1 && genres.length < Math.min(total, 5);
  if (!few || flags.includes("no music")) return "";
  return t("sure.others", { genres: either(genres.map(genreName)) });
}

/** What else is to be known of a recording. */
export const remarks = (answer) =>
  answer.flags
    .filter((flag) => has(`flag.${flag}`) && !(isSilent(answer) && flag === "short"))
    .map((flag) => t(`flag.${flag}`));

/** Title of the list of all genres. */
export function barsTitle(answer, n) {
  if (!isMusic(answer)) return t("bars.nomusic");
  return has(`bars.${n}`) ? t(`bars.${n}`) : t("bars.many", { n });
}

// Whom models of the same recipe did not learn from; the most telling first.
const PROTOCOLS = ["artists", "fault-filtered", "tracks"];

function bestMetric(metrics = []) {
  const ofTracks = metrics.filter((metric) => metric.level === "track");
  return PROTOCOLS.flatMap((protocol) => ["test", "valid"].map((part) => ({ protocol, part })))
    .map((want) => ofTracks.find((m) => m.protocol === want.protocol && m.part === want.part))
    .find(Boolean);
}

/** How often it is right, in a sentence to stand beside the number; none without a figure. */
export function accuracy({ metrics }) {
  const metric = bestMetric(metrics);
  if (!metric) return "";
  const key = metric.protocol === "tracks" ? "accuracy.tracks" : "accuracy.artists";
  return t(key, { right: Math.round(metric.accuracy * 100) });
}

/** The same with all that belongs to it, for the foot of the page. */
export function honesty({ metrics, labels }) {
  const knows = t("honesty.knows", { n: labels.length });
  const metric = bestMetric(metrics);
  if (!metric) return knows;
  const [right, low, high] = [metric.accuracy, metric.low, metric.high].map(tenths);
  const unheard = t(metric.protocol === "tracks" ? "honesty.tracks" : "honesty.artists");
  return `${t("honesty.figure", { right, low, high, n: metric.n, unheard })} ${knows}`;
}

/** Why the microphone cannot be used, and what to do: [title, text]. */
export function microphoneTrouble(error) {
  const kinds = {
    InsecureContext: "insecure",
    NotAllowedError: "denied",
    SecurityError: "denied",
    NotFoundError: "none",
    OverconstrainedError: "none",
    NotReadableError: "busy",
    TooShort: "short",
  };
  const kind = kinds[error.name] ?? "other";
  return [t(`mic.${kind}.title`), `${t(`mic.${kind}.text`)} ${t("mic.file")}`];
}

/** What a screen reader says when an answer comes. */
export const spoken = (answer) =>
  [`${headline(answer)}.`, confidence(answer), ...remarks(answer)].filter(Boolean).join(" ");

/** The title of the tab. */
export function tabTitle(answer) {
  if (!isMusic(answer)) return t("title.plain", { what: headline(answer) });
  return t("title.result", { what: headline(answer), p: percent(answer.confidence) });
}
