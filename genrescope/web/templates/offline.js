// Keeps the whole page, so that it works without a connection after the first visit.

const VERSION = "genrescope {{version}}";
const FILES = {{files}};

addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(VERSION)
      .then((cache) => cache.addAll(FILES))
      .then(() => skipWaiting()),
  );
});

addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith("genrescope ") && name !== VERSION);
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(old(names).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  );
});

// All files belong together, so what is kept comes first: a new version brings a new worker.
addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  event.respondWith(
    caches
      .open(VERSION)
      .then((cache) => cache.match(url.origin + url.pathname))
      .then((kept) => kept ?? fetch(request)),
  );
});
