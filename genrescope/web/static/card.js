// The picture of a result: 1200 by 630 px, the format in which links are shown elsewhere.

import { colour, property } from "./dom.js";
import { hueNumber } from "./hues.js";
import { paint, parts } from "./scope.js";
import { genreName, percent } from "./text.js";
import { eyebrow, headline, isMusic, isSilent, ranked } from "./words.js";

const WIDTH = 1200;
const HEIGHT = 630;
const MARGIN = 72;
const ROOM = 560; // px of the name
const SERIF = '"Iowan Old Style", "Palatino Linotype", "URW Palladio L", Palatino, Georgia, serif';
const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export function drawCard(canvas, answer) {
  const c = canvas.getContext("2d");
  const [page, ink, faint, staff, red] = ["page", "ink", "faint", "staff", "record"].map((name) =>
    colour(name),
  );
  const tint = (label) => property(`hue-${hueNumber(label)}`);
  c.clearRect(0, 0, WIDTH, HEIGHT);
  c.fillStyle = page;
  c.fillRect(0, 0, WIDTH, HEIGHT);

  c.fillStyle = staff; // the stave of the page, under all
  for (let line = 0; line < 5; line++) c.fillRect(0, 150 + line * 26, WIDTH, 1.5);

  c.fillStyle = red;
  c.beginPath();
  c.arc(MARGIN + 16, 70, 16, 0, 2 * Math.PI);
  c.fill();
  c.fillStyle = ink;
  c.font = `500 34px ${SERIF}`;
  c.fillText("Genrescope", MARGIN + 46, 81);

  const whole = headline(answer);
  const size = fitted(c, whole, 116, ROOM);
  const name = cut(c, whole, ROOM);
  c.fillStyle = page; // the stave stops where the name stands
  c.fillRect(MARGIN - 16, 138, Math.min(c.measureText(name).width, 600) + 32, 130);
  c.fillStyle = faint;
  c.font = `400 26px ${SANS}`;
  c.fillText(eyebrow(answer), MARGIN, 158);
  c.fillStyle = ink;
  c.font = `500 ${size}px ${SERIF}`;
  c.fillText(name, MARGIN - 4, 254);
  c.fillStyle = isMusic(answer) ? tint(answer.genre) : staff;
  c.fillRect(MARGIN, 288, 96, 7);

  if (!isSilent(answer)) drawBars(c, answer, { ink, staff, page, tint });
  drawTimeline(c, answer, { staff, tint });
  if (answer.spectrogram) drawPicture(c, answer.spectrogram);
}

function fitted(c, name, largest, room) {
  let size = largest;
  do c.font = `500 ${size}px ${SERIF}`;
  while (c.measureText(name).width > room && --size > 30);
  return size;
}

/** As much of a text as fits, with its end told by dots if that is not all. */
function cut(c, text, room) {
  const letters = [...text];
  const fits = (n) => c.measureText(`${letters.slice(0, n).join("")}…`).width <= room;
  if (c.measureText(text).width <= room) return text;
  let n = letters.length - 1;
  while (n > 1 && !fits(n)) n--;
  return `${letters.slice(0, n).join("")}…`;
}

function drawBars(c, answer, { ink, staff, page, tint }) {
  const [left, right, top, step] = [690, WIDTH - MARGIN, 118, 42];
  c.fillStyle = page;
  c.fillRect(left - 24, top - 34, WIDTH, step * 6 + 8);
  ranked(answer)
    .slice(0, 6)
    .forEach(([label, p], i) => {
      const y = top + i * step;
      c.fillStyle = ink;
      c.font = `${i ? 400 : 600} 24px ${SANS}`;
      c.textAlign = "left";
      c.fillText(cut(c, genreName(label), 200), left, y + 8, 150); // a little narrower, if it must
      c.textAlign = "right";
      c.fillText(percent(p), right, y + 8, 100);
      const [from, to] = [left + 166, right - 112];
      c.fillStyle = staff;
      c.fillRect(from, y - 0.5, to - from, 1.5);
      c.fillStyle = tint(label);
      const end = from + 12 + p * (to - from - 24);
      c.fillRect(from, y - 3, end - from, 6);
      c.beginPath();
      c.ellipse(end, y, 11, 8, -0.35, 0, 2 * Math.PI);
      c.fill();
    });
  c.textAlign = "left";
}

function drawTimeline(c, answer, { staff, tint }) {
  const width = WIDTH - 2 * MARGIN;
  for (const { start, end, label } of parts(answer.timeline, answer.duration_s)) {
    const x = MARGIN + (start / answer.duration_s) * width;
    const [y, tall] = answer.spectrogram ? [556, 32] : [430, 110];
    const wide = Math.max(1, ((end - start) / answer.duration_s) * width - 2);
    c.fillStyle = label === null ? staff : tint(label);
    if (label === null) c.fillRect(x, y + tall / 2 - 2, wide, 4);
    else c.fillRect(x, y, wide, tall);
  }
}

function drawPicture(c, spectrogram) {
  const picture = document.createElement("canvas");
  paint(picture, spectrogram);
  c.imageSmoothingEnabled = true;
  c.drawImage(picture, MARGIN, 376, WIDTH - 2 * MARGIN, 176);
}
