// A name in large letters that does not break inside a word: the letters grow smaller instead.

import { make } from "./dom.js";

const SMALLEST_PX = 18;
const ENDLESS = "genre-endless"; // words that are too long even so
const fitted = new WeakSet();

/** Writes `text` into `element`, words whole, in the largest letters of its style that fit. */
export function fit(element, text) {
  const parts = text.split(" ").flatMap((word, i) => {
    const span = make("span", { className: "word", text: word });
    return i ? [" ", span] : [span];
  });
  element.replaceChildren(...parts);
  if (!fitted.has(element)) {
    fitted.add(element);
    let width = 0;
    new ResizeObserver(([entry]) => {
      if (entry.contentRect.width === width) return; // its own doing
      width = entry.contentRect.width;
      shrink(element);
    }).observe(element);
  }
  shrink(element);
}

function shrink(element) {
  element.style.fontSize = "";
  element.classList.remove(ENDLESS);
  const room = element.clientWidth;
  const words = [...element.querySelectorAll(".word")];
  const widest = Math.max(...words.map((word) => word.scrollWidth), 0);
  if (!room || widest <= room) return;
  const size = parseFloat(getComputedStyle(element).fontSize);
  const fitting = Math.floor((size * room) / (widest + 1));
  element.style.fontSize = `${Math.max(SMALLEST_PX, fitting)}px`;
  element.classList.toggle(ENDLESS, fitting < SMALLEST_PX);
}
