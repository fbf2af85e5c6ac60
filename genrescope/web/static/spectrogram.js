// The mel spectrogram as a picture with axes, and the time line under it.

import { make } from "./dom.js";
import { clock, genreName } from "./words.js";

// Magma (N. Smith and S. van der Walt, CC0) at nine places, evenly spaced: as even to the eye.
const MAGMA = [
  [0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122],
  [229, 80, 100], [251, 135, 97], [254, 194, 135], [252, 253, 191],
];

const PALETTE = Array.from({ length: 256 }, (_, i) => {
  const x = (i / 255) * (MAGMA.length - 1);
  const low = Math.min(Math.floor(x), MAGMA.length - 2);
  return MAGMA[low].map((from, k) => Math.round(from + (MAGMA[low + 1][k] - from) * (x - low)));
});

/** Paints `spectrogram` of a classify answer, one pixel a cell; CSS stretches the canvas. */
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

// Slaney's mel scale: linear below 1000 Hz, logarithmic above.
const mel = (hz) => (hz < 1000 ? (hz * 3) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4));

/** Labels of the frequency axis, placed by the picture's scale. */
export function frequencyAxis(axis, { scale, fmin, fmax }) {
  const at = scale === "mel" ? mel : (hz) => hz;
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
  for (let t = 0; t < duration - step * 0.3; t += step) marks.push(t);
  axis.replaceChildren(
    ...marks.map((t) => {
      const mark = make("span", { text: duration < 90 ? `${t} s` : clock(t) });
      mark.style.left = `${(t / duration) * 100}%`;
      return mark;
    }),
  );
}

/**
 * The stretches of one genre each, as buttons: one tab stop, arrow keys move along, Enter plays.
 * `hue(label)` names a genre's colour class, `seek(seconds)` moves the replay.
 */
export function timeline(strip, legend, { segments, duration, hue, seek }) {
  const rest = (seconds) => {
    const gap = make("span", { className: "rest", "aria-hidden": "true" });
    gap.style.flexGrow = String(seconds);
    return gap;
  };
  const buttons = segments.map(({ start, end, label, probability }, i) => {
    const words = `${genreName(label)}, ${clock(start)} to ${clock(end)}, ${Math.round(probability * 100)} %`;
    const button = make("button", {
      type: "button",
      className: `stretch ${hue(label)}`,
      tabindex: i === 0 ? 0 : -1,
      "aria-label": words,
      title: words,
    });
    button.style.flexGrow = String(Math.max(end - start, duration / 400));
    button.append(make("span", { text: genreName(label) }));
    button.addEventListener("click", () => seek(start));
    return button;
  });
  const ends = [0, ...segments.map((s) => s.end)];
  const starts = [...segments.map((s) => s.start), duration];
  const parts = starts.flatMap((start, i) => {
    const silence = start - ends[i];
    return [...(silence > 0.1 ? [rest(silence)] : []), ...(buttons[i] ? [buttons[i]] : [])];
  });
  strip.replaceChildren(...parts);
  strip.onkeydown = (event) => roam(event, buttons);
  const heard = new Map();
  for (const s of segments) heard.set(s.label, (heard.get(s.label) ?? 0) + s.end - s.start);
  const byTime = [...heard].sort((a, b) => b[1] - a[1]);
  legend.replaceChildren(
    ...byTime.map(([label, seconds]) =>
      make(
        "li",
        { className: hue(label) },
        make("span", { className: "swatch", "aria-hidden": "true" }),
        `${genreName(label)} `,
        make("span", { className: "faint", text: `${Math.round((seconds / duration) * 100)} % of the time` }),
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
