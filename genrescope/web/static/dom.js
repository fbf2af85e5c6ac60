// Small helpers for building the page.

export const $ = (id) => document.getElementById(id);

/** An element with properties, a class and children (strings become text, never markup). */
export function make(tag, { className, text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Words, and a button for what may be done about them. */
export function offer(element, words, label, act) {
  const button = make("button", { type: "button", className: "button button-plain", text: label });
  button.addEventListener("click", () => act(button));
  element.replaceChildren(words, " ", button);
}

/** Saves a Blob as a file. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Says something to a screen reader without moving the focus. */
export function announce(words) {
  const status = $("status");
  status.textContent = "";
  setTimeout(() => (status.textContent = words), 50);
}

/** A canvas context in CSS pixels, sized to where the canvas stands. */
export function prepare(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** A property of the style sheet as it is written there. */
export const property = (name) =>
  getComputedStyle(document.body).getPropertyValue(`--${name}`).trim();

/** The page's colours, which canvases cannot read by themselves. */
export function colour(name) {
  const value = property(name);
  if (!matchMedia("(forced-colors: active)").matches) return value;
  // A system colour means what it means to an element, not to a canvas.
  const probe = make("i", { className: "unseen" });
  probe.style.color = value;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
