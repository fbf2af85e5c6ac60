// What this visit's tab keeps, so that a reload or a way back loses nothing. It goes with the tab.

const KEY = "genrescope visit";
const LARGEST_SOUND = 2 ** 20; // bytes; a recording of half a minute has half of that

async function packed({ sound, ...attempt }, withSound) {
  const kept = { ...attempt, polished: null };
  if (withSound && sound && sound.blob.size <= LARGEST_SOUND) {
    kept.sound = { name: sound.name, recorded: sound.recorded, data: await dataUrl(sound.blob) };
  }
  return kept;
}

const dataUrl = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });

/** A Blob of a data: address; fetch may not, by the page's own policy. */
function blobOf(url) {
  const [head, data] = url.split(",", 2);
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5).split(";")[0] });
}

let latest = 0; // of the calls, so that none overtakes the one after it

/** Keeps the tries, and which of them is shown; where room is short, fewer sounds and pictures. */
export async function save(tries, current) {
  const least = ({ answer, ...attempt }) => ({
    ...attempt,
    answer: answer && { ...answer, spectrogram: null },
  });
  const ways = [
    () => Promise.all(tries.map((each) => packed(each, true))),
    () => Promise.all(tries.map((each) => packed(each, each.id === current))),
    () => Promise.all(tries.map((each) => packed(each.id === current ? each : least(each), false))),
    () => Promise.all(tries.map((each) => packed(least(each), false))),
  ];
  const turn = ++latest;
  for (const way of ways) {
    try {
      const kept = JSON.stringify({ tries: await way(), current });
      if (turn === latest) sessionStorage.setItem(KEY, kept);
      return;
    } catch {
      // Too much for this browser; the next way needs less.
    }
  }
}

/** What `save` kept: { tries, current }, or none. */
export function load() {
  try {
    const { tries, current } = JSON.parse(sessionStorage.getItem(KEY));
    for (const attempt of tries) {
      if (attempt.sound) attempt.sound = { ...attempt.sound, blob: blobOf(attempt.sound.data) };
      else attempt.sound = null;
    }
    return { tries, current };
  } catch {
    return { tries: [], current: null };
  }
}

export function clear() {
  latest++;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
}

const STAY = "genrescope stay";

/** Marks that the page is loaded anew only to speak another language. */
export function stay() {
  try {
    sessionStorage.setItem(STAY, "1");
  } catch {
    // Then it begins anew.
  }
}

/** Whether the page was here a moment ago: reloaded, come back to, or in another language. */
export function returned() {
  const [entry] = performance.getEntriesByType("navigation");
  let staying = false;
  try {
    staying = sessionStorage.getItem(STAY) === "1";
    sessionStorage.removeItem(STAY);
  } catch {
    // A browser that keeps nothing has nothing to return to.
  }
  return staying || entry?.type === "reload" || entry?.type === "back_forward";
}
