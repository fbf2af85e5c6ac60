// What every service worker of the page does: keeps files, `KEPT`, and throws away those of another version.

// Pages that share a host, such as one below the other, have caches of their own.
const OURS = `genrescope ${registration.scope} `;
const VERSION = `${OURS}{{version}}`;

addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(VERSION)
      .then((cache) => cache.addAll(KEPT))
      .then(() => skipWaiting()),
  );
});

addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith(OURS) && name !== VERSION);
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(old(names).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  );
});
