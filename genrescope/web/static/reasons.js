// An explanation's figures in words and as a map over the spectrogram.

import { leading, within } from "./local/regions.js";
import { genreName, hertz, list, roughly, t } from "./text.js";

// What people call parts of the spectrum, by upper edge in Hz.
const REGIONS = [
  [200, "bass"],
  [500, "low"],
  [2000, "mids"],
  [5000, "upper"],
  [null, "treble"],
];
const HIGHEST_HZ = 11_025;

const sum = (values) => values.reduce((total, value) => total + value, 0);

function regions(range) {
  const names = within(range, REGIONS, HIGHEST_HZ);
  if (names.length === REGIONS.length) return t("why.region.all");
  const ends = [...new Set([names[0] ?? "mids", names.at(-1) ?? "mids"])];
  return list(ends.map((name) => t(`why.region.${name}`)));
}

/** Where the cells that speak `sign` (1: for, -1: against) lie, in words; null where none does. */
function place({ cells, bands_hz, times }, sign) {
  const strength = cells.map((row) => row.map((cell) => Math.max(0, sign * cell)));
  if (Math.max(...strength.flat()) <= 0) return null;
  const [low, high] = leading(strength.map(sum));
  const chosen = strength.slice(low, high + 1);
  const [first, last] = leading(times.slice(1).map((_, i) => sum(chosen.map((row) => row[i]))));
  const edges = [bands_hz[low], bands_hz[high + 1]];
  const values = {
    regions: regions(edges),
    low: hertz(Math.round(edges[0] / 10) * 10),
    high: hertz(Math.round(edges[1] / 10) * 10),
    from: times[first].toFixed(0),
    to: times[last + 1].toFixed(0),
  };
  const whole = last - first === times.length - 2;
  return t(whole ? "why.place.whole" : "why.place", values);
}

/** What decided, and what spoke against, as sentences. */
export function reasons(figures) {
  const genre = genreName(figures.genre);
  const decided = place(figures, 1);
  if (!figures.decisive || !decided) return t("why.none", { genre });
  const against = place(figures, -1);
  const first = t("why.decided", { place: decided, genre });
  return against ? `${first} ${t("why.against", { place: against, genre })}` : first;
}

/** How true it is, as sentences. */
export function truth(figures) {
  return t(figures.decisive ? "why.truth" : "why.truth.none", {
    genre: genreName(figures.genre),
    gone: roughly(figures.deletion_auc),
    goneRandom: roughly(figures.random_deletion_auc),
    alone: roughly(figures.insertion_auc),
    aloneRandom: roughly(figures.random_insertion_auc),
  });
}

/** The grid between the centres of its cells, by linear interpolation; `x`, `y` in cells. */
function between(cells, x, y) {
  const along = (at, n) => {
    const held = Math.min(Math.max(at - 0.5, 0), n - 1);
    const before = Math.floor(held);
    return [before, Math.min(before + 1, n - 1), held - before];
  };
  const [low, high, up] = along(y, cells.length);
  const [left, right, on] = along(x, cells[0].length);
  const row = (r) => cells[r][left] * (1 - on) + cells[r][right] * on;
  return row(low) * (1 - up) + row(high) * up;
}

const DECIDED = [255, 140, 0];
const AGAINST = [40, 120, 255];

/**
 * Paints the spectrogram in grey, orange where a part decided and blue where it spoke against.
 * Bands of the cells are even in the picture's rows; a time outside `timeline` has no colour.
 */
export function paintReasons(canvas, { cells, times }, { spectrogram, timeline }) {
  const { n_mels, n_frames, data, duration_s } = spectrogram;
  const levels = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const strongest = Math.max(...cells.flat().map(Math.abs)) || 1;
  canvas.width = n_frames;
  canvas.height = n_mels;
  const context = canvas.getContext("2d");
  const image = context.createImageData(n_frames, n_mels);
  for (let frame = 0; frame < n_frames; frame++) {
    const second = ((frame + 0.5) / n_frames) * duration_s;
    const sounds = timeline.some(({ start, end }) => second >= start && second <= end);
    const i = Math.min(
      Math.max(times.findIndex((edge) => edge > second) - 1, 0),
      times.length - 2,
    );
    const x = second >= times.at(-1) ? times.length - 1 : i + share(times[i], times[i + 1], second);
    for (let band = 0; band < n_mels; band++) {
      const y = ((band + 0.5) / n_mels) * cells.length;
      const mask = sounds ? between(cells, x, y) / strongest : 0;
      const grey = levels[band * n_frames + frame];
      const strength = 0.75 * Math.min(1, Math.abs(mask));
      const colour = mask > 0 ? DECIDED : AGAINST;
      const lit = 0.35 + (0.65 * grey) / 255;
      const rgb = colour.map((part) => grey * (1 - strength) + part * strength * lit);
      image.data.set([...rgb, 255], ((n_mels - 1 - band) * n_frames + frame) * 4);
    }
  }
  context.putImageData(image, 0, 0);
}

const share = (from, to, at) => (to > from ? (at - from) / (to - from) : 0);
