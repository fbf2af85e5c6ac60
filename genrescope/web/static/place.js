// Where genres are named, on the server or on this computer: there as was chosen here before.

import { $ } from "./dom.js";

const KEY = "genrescope place";
const HERE = document.body.dataset.runs;

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing
  }
}

/** Goes to the page of this computer if that was chosen; it is to be called before all else. */
export function follow() {
  const link = $("elsewhere");
  if (HERE === "server" && remembered() === "computer" && link.href) {
    location.replace(link.href + location.hash);
  }
}

/** Remembers what the link between the two pages is pressed for. */
export function prepareWay() {
  $("elsewhere").addEventListener("click", () => {
    try {
      localStorage.setItem(KEY, HERE === "server" ? "computer" : "server");
    } catch {
      // It will have to be chosen again.
    }
  });
}
