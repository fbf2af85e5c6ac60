// Keeps the whole page, so that it works without a connection after the first visit.

const FILES = {{files}};
const KEPT = FILES;

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
