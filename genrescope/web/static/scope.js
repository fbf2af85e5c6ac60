// The mel spectrogram as a picture with axes, and the timeline under it.

import { make } from "./dom.js";
import { hue } from "./hues.js";
import { hzToMel } from "./local/mel.js";
import { clock, genreName, t, whole } from "./text.js";

// Magma (N. Smith and S. van der Walt, CC0) at nine places, evenly spaced: as even to the eye.
const MAGMA = [
  [0, 0, 4],
  [28, 16, 68],
  [79, 18, 123],
  [129, 37, 129],
  [181, 54, 122],
  [229, 80, 100],
  [251, 135, 97],
  [254, 194, 135],
  [252, 253, 191],
];

const PALETTE = Array.from({ length: 256 }, (_, i) => {
  const x = (i / 255) * (MAGMA.length - 1);
  const low = Math.min(Math.floor(x), MAGMA.length - 2);
  return MAGMA[low].map((from, k) => Math.round(from + (MAGMA[low + 1][k] - from) * (x - low)));
});

/** Paints the `spectrogram` of an answer, one pixel a cell; CSS stretches the canvas. */
export function paint(canvas, { n_mels, n_frames, data }) {
  const levels = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  canvas.width = n_frames;
  canvas.height = n_mels;
  const context = canvas.getContext("2d");
  const image = context.createImageData(n_frames, n_mels);
  for (let band = 0; band < n_mels; band++) {
    for (let frame = 0; frame < n_frames; frame++) {
      const at = ((n_mels - 1 - band) * n_frames + frame) * 4;
      const [r, g, b] = PALETTE[levels[band * n_frames + frame]];
      image.data.set([r, g, b, 255], at);
    }
  }
  context.putImageData(image, 0, 0);
}

/** What the picture shows, for who cannot see it. */
export const describePicture = ({ scale }, duration) =>
  t(scale === "mel" ? "picture.mel" : "picture.linear", { seconds: Math.round(duration) });

/** Labels of the frequency axis, placed by the picture's scale. */
export function frequencyAxis(axis, { scale, fmin, fmax }) {
  const at = scale === "mel" ? hzToMel : (hz) => hz;
  const share = (hz) => (at(hz) - at(fmin)) / (at(fmax) - at(fmin));
  const marks = [250, 1000, 2000, 4000, 8000].filter((hz) => hz > fmin && hz < fmax);
  axis.replaceChildren(
    ...marks.map((hz) => {
      const mark = make("span", { text: hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz` });
      mark.style.bottom = `${share(hz) * 100}%`;
      return mark;
    }),
  );
}

/** Labels of the time axis. */
export function timeAxis(axis, duration) {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 180].find((s) => duration / s <= 7) ?? 300;
  const marks = [];
  for (let s = 0; s < duration - step * 0.3; s += step) marks.push(s);
  axis.replaceChildren(
    ...marks.map((s) => {
      const mark = make("span", { text: duration < 90 ? `${s} s` : clock(s) });
      mark.style.left = `${(s / duration) * 100}%`;
      return mark;
    }),
  );
}

const LEAST_REST_S = 0.1; // a shorter gap is a matter of rounding

/** The parts of a recording in the order of time: stretches of a genre, and silences (label null). */
export function parts(segments, duration) {
  const all = [];
  let at = 0;
  for (const segment of [...segments, { start: duration, end: duration, label: null }]) {
    if (segment.start - at > LEAST_REST_S) all.push({ start: at, end: segment.start, label: null });
    if (segment.label !== null) all.push(segment);
    at = segment.end;
  }
  return all;
}

const FINGER = 44; // px: what a fingertip covers

/** Of stretches `boxes` ({ left, width }, px), the number of the one that a press at `x` means. */
export function pressed(boxes, x) {
  const reach = ({ left, width }) => Math.max(0, Math.abs(x - left - width / 2) - width / 2);
  const near = boxes
    .map((box, i) => ({ i, width: box.width, away: reach(box) }))
    .filter(
      ({ width, away }) => away === 0 || (width < FINGER / 2 && away <= FINGER / 2 - width / 2),
    );
  // A stretch too narrow to hit goes before the wide one beside it, the nearest of them first.
  const narrow = near.filter(({ width }) => width < FINGER / 2);
  const best = (narrow.length ? narrow : near).sort((a, b) => a.away - b.away)[0];
  return best ? best.i : -1;
}

/**
 * The stretches of one genre each, as buttons: one tab stop, arrow keys move along, Enter plays.
 * `seek(seconds)` moves the replay.
 */
export function timeline(strip, legend, { segments, duration, seek }) {
  const buttons = [];
  const children = parts(segments, duration).map(({ start, end, label, probability }) => {
    const element = label === null ? rest(start, end) : stretch(start, end, label, probability);
    element.style.flexGrow = String(Math.max(end - start, duration / 400));
    if (label !== null) {
      element.tabIndex = buttons.length ? -1 : 0;
      element.dataset.start = start;
      buttons.push(element);
    }
    return element;
  });
  strip.replaceChildren(...children);
  strip.onkeydown = (event) => roam(event, buttons);
  strip.onclick = (event) => {
    const byKey = event.detail === 0; // Enter, or a screen reader
    const boxes = buttons.map((button) => button.getBoundingClientRect());
    const i = byKey
      ? buttons.indexOf(event.target.closest("button"))
      : pressed(boxes, event.clientX);
    if (i < 0) return;
    buttons[i].focus({ preventScroll: true });
    seek(Number(buttons[i].dataset.start));
  };
  showLegend(legend, segments, duration);
}

function rest(start, end) {
  const words = t("timeline.rest", { from: clock(start), to: clock(end) });
  return make(
    "span",
    { className: "rest", title: words },
    make("span", { className: "unseen", text: words }),
  );
}

function stretch(start, end, label, probability) {
  const words = t("timeline.stretch", {
    genre: genreName(label),
    from: clock(start),
    to: clock(end),
    p: whole(probability),
  });
  const button = make("button", {
    type: "button",
    className: `stretch ${hue(label)}`,
    "aria-label": words,
    title: words,
  });
  button.append(make("span", { text: genreName(label) }));
  return button;
}

function showLegend(legend, segments, duration) {
  const shares = new Map();
  for (const { start, end, label } of parts(segments, duration)) {
    shares.set(label, (shares.get(label) ?? 0) + (end - start) / duration);
  }
  const byShare = [...shares].sort((a, b) => (a[0] === null) - (b[0] === null) || b[1] - a[1]);
  legend.replaceChildren(
    ...byShare.map(([label, share]) =>
      make(
        "li",
        { className: label === null ? "legend-rest" : hue(label) },
        make("span", { className: "swatch", "aria-hidden": "true" }),
        `${label === null ? t("timeline.silence") : genreName(label)} `,
        make("span", { className: "faint", text: t("timeline.share", { p: whole(share) }) }),
      ),
    ),
  );
}

function roam(event, buttons) {
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (to === undefined || !buttons[to]) return;
  event.preventDefault();
  buttons.forEach((button, i) => (button.tabIndex = i === to ? 0 : -1));
  buttons[to].focus();
}
