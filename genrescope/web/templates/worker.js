// Keeps the page for when there is no connection. What the server says always comes first.

const SHELL = {{files}};
const KEPT = [...SHELL, "/"];

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  const isPage = request.mode === "navigate" && url.pathname === "/";
  const isPart = url.pathname.startsWith("/static/") && !url.pathname.startsWith("/static/samples/");
  if (request.method !== "GET" || url.origin !== location.origin || !(isPage || isPart)) return;
  event.respondWith(
    fetch(request)
      .then((answer) => {
        if (answer.ok && !answer.redirected) {
          const copy = answer.clone();
          const key = isPage ? "/" : url.pathname;
          event.waitUntil(caches.open(VERSION).then((cache) => cache.put(key, copy)));
        }
        return answer;
      })
      .catch(async (error) => {
        const kept = await caches.match(isPage ? "/" : url.pathname, { ignoreVary: true });
        if (kept) return kept;
        throw error;
      }),
  );
});
