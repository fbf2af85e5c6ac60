// An explanation's figures in words and as a map over the spectrogram.

import { leading, wholeSeconds, within } from "./local/regions.js";
import { BLUR_BANDS, BLUR_TIMES, nearness, smooth, strongestOf } from "./local/smoothing.js";
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
  const [from, to] = wholeSeconds(times[first], times[last + 1]);
  const edges = [bands_hz[low], bands_hz[high + 1]];
  const values = {
    regions: regions(edges),
    low: hertz(Math.round(edges[0] / 10) * 10),
    high: hertz(Math.round(edges[1] / 10) * 10),
    from,
    to,
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

const DECIDED = [255, 140, 0];
const AGAINST = [40, 120, 255];

/**
 * Paints the spectrogram in grey, orange where a part decided and blue where it spoke against.
 * Bands of the cells are even in the picture's rows; a time outside `timeline` has no colour.
 */
export function paintReasons(canvas, { cells, times }, { spectrogram, timeline }) {
  const { n_mels, n_frames, data, duration_s } = spectrogram;
  const levels = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  canvas.width = n_frames;
  canvas.height = n_mels;
  const context = canvas.getContext("2d");
  const image = context.createImageData(n_frames, n_mels);
  const bands = Array.from({ length: n_mels }, (_, band) =>
    nearness(((band + 0.5) / n_mels) * cells.length, cells.length, BLUR_BANDS),
  );
  const seconds = Array.from({ length: n_frames }, (_, i) => ((i + 0.5) / n_frames) * duration_s);
  const columns = seconds.map((second) =>
    nearness(cellAt(times, second), cells[0].length, BLUR_TIMES),
  );
  const masks = smooth(cells, bands, columns);
  const strongest = strongestOf(masks);
  for (let frame = 0; frame < n_frames; frame++) {
    const second = seconds[frame];
    const sounds = timeline.some(({ start, end }) => second >= start && second <= end);
    for (let band = 0; band < n_mels; band++) {
      const mask = sounds ? masks[band][frame] / strongest : 0;
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

/** Where a second lies among the cells with these edges, in cells from the first edge. */
function cellAt(times, second) {
  if (second >= times.at(-1)) return times.length - 1;
  const after = times.findIndex((edge) => edge > second);
  const i = Math.min(Math.max(after - 1, 0), times.length - 2);
  return times[i + 1] > times[i] ? i + (second - times[i]) / (times[i + 1] - times[i]) : i;
}
