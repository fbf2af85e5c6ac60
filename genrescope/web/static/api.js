// The HTTP API.

import { ApiError } from "./faults.js";

export * from "./faults.js";

const BASE = "/api/v1/";
const PATIENCE = 3; // how often a busy server is asked again
const SILENCE_MS = 120_000; // without a byte either way, the server is gone

const UNREACHABLE = { code: "unreachable" };
const NOT_OURS = { 413: { code: "too_large_elsewhere" }, 429: { code: "too_many" } };

const pause = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    });
  });

/** Sends a body; a busy server (503) is asked again after as long as it says. */
async function post(path, body, { onBusy, ...options } = {}) {
  for (let attempt = 1; ; attempt++) {
    const answer = await exchange(path, body, options);
    if (answer.status === 200) return answer;
    const error = faultOf(answer);
    if (error.status !== 503 || attempt === PATIENCE) throw error;
    onBusy?.();
    await pause(Math.min(Number(answer.header("Retry-After")) || 2, 10), options.signal);
  }
}

/**
 * One request. Resolves to { status, header(name), bytes(), parts }; with `onHead`, as soon as
 * the first part of a multipart answer is there, and `rest` then brings the others; `onPart` is
 * called with each part as soon as it is there.
 *
 * XMLHttpRequest, not fetch: only it tells how far an upload has come. Bytes arrive as a string
 * of characters below 256, which is the one form that can be read before all of it is there.
 */
function exchange(path, body, { onProgress, onReceive, onPart, signal, multipart = false }) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new DOMException("aborted", "AbortError"));
    const request = new XMLHttpRequest();
    request.open("POST", BASE + path);
    request.overrideMimeType("text/plain; charset=x-user-defined");
    let timer = 0;
    let read = 0; // of a multipart answer, how far its parts have been handed on
    const handOn = () => {
      if (!onPart || request.status !== 200) return;
      for (let part; (part = partAt(request.responseText, read)); read = part.end) onPart(part);
    };
    let begun = null; // of a multipart answer whose first part has been handed on
    const fail = (error) => (begun ? begun.reject(error) : reject(error));
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        fail(new ApiError(0, UNREACHABLE));
        request.abort();
      }, SILENCE_MS);
    };
    const answer = () => ({
      status: request.status,
      header: (name) => request.getResponseHeader(name),
      bytes: () => bytesOf(request.responseText),
    });
    request.upload.addEventListener("progress", (event) => {
      wait();
      onProgress?.(event.loaded / event.total);
    });
    request.addEventListener("progress", (event) => {
      wait();
      if (event.lengthComputable) onReceive?.(event.loaded / event.total);
      handOn();
      if (!multipart || begun || request.status !== 200) return;
      const first = partAt(request.responseText, 0);
      if (!first) return;
      const rest = new Promise((resolveRest, rejectRest) => {
        begun = { resolve: resolveRest, reject: rejectRest };
      });
      rest.catch(() => {}); // who cares about it asks
      resolve({ ...answer(), first, rest });
    });
    request.addEventListener("loadend", () => clearTimeout(timer));
    request.addEventListener("load", () => {
      handOn();
      if (!multipart || request.status !== 200) return resolve(answer());
      const first = partAt(request.responseText, 0);
      const second = first && partAt(request.responseText, first.end);
      if (!second) return fail(new ApiError(0, UNREACHABLE));
      if (begun) begun.resolve(second);
      else resolve({ ...answer(), first, rest: Promise.resolve(second) });
    });
    request.addEventListener("error", () => fail(new ApiError(0, UNREACHABLE)));
    request.addEventListener("abort", () => fail(new DOMException("aborted", "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    if (typeof body === "string") request.setRequestHeader("Content-Type", "application/json");
    wait();
    request.send(body);
  });
}

function bytesOf(text) {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i) & 0xff;
  return bytes;
}

/** The part of a multipart body that begins at or after `from`, once it is there in full. */
function partAt(text, from) {
  const start = text.indexOf("--", from);
  const blank = start < 0 ? -1 : text.indexOf("\r\n\r\n", start);
  if (blank < 0) return null;
  const headers = Object.fromEntries(
    text
      .slice(start, blank)
      .split("\r\n")
      .slice(1)
      .map((line) => line.split(/:\s*/, 2))
      .map(([name, value]) => [name.toLowerCase(), value]),
  );
  const end = blank + 4 + Number(headers["content-length"]);
  if (!(text.length >= end)) return null;
  return { headers, bytes: bytesOf(text.slice(blank + 4, end)), end };
}

const json = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

function faultOf({ status, bytes }) {
  try {
    return new ApiError(status, json(bytes()).error);
  } catch {
    return new ApiError(status, NOT_OURS[status] ?? UNREACHABLE);
  }
}

/** Sends a recording; a file that has gone fails as if the server had. */
async function send(path, recording, options) {
  const data = new FormData();
  data.append("file", recording.blob, recording.name);
  try {
    return await post(path, data, options);
  } catch (error) {
    if (error.code === "unreachable" && !(await readable(recording.blob))) {
      throw new ApiError(0, { code: "unreadable" });
    }
    throw error;
  }
}

const readable = (blob) =>
  blob
    .slice(0, 1)
    .arrayBuffer()
    .then(
      () => true,
      () => false,
    );

/** The smallest form of a polished recording that this browser plays. */
const form = (() => {
  const { canPlayType } = HTMLMediaElement.prototype;
  const plays = (type) => canPlayType.call(document.createElement("audio"), type) === "probably";
  if (plays('audio/ogg; codecs="opus"')) return "opus";
  return plays('audio/mp4; codecs="flac"') || plays("audio/flac") ? "flac" : "wav";
})();

export const SUFFIX = { "audio/ogg": "ogg", "audio/flac": "flac", "audio/wav": "wav" };

const polishedOf = (bytes, header) => {
  const type = header("content-type").split(";")[0];
  return {
    blob: new Blob([bytes], { type }),
    before: header("x-loudness-before") ?? null,
    after: header("x-loudness-after") ?? null,
  };
};

const asked = (query) => {
  const pairs = Object.entries(query).filter(([, value]) => value);
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
};

/** What `classify` says of a recording; with `bundle`, that of another model. */
export async function classify(recording, { bundle, ...options } = {}) {
  return json((await send(`classify${asked({ bundle })}`, recording, options)).bytes());
}

/**
 * The answer of `classify`, and the polished recording (see `polish`) as a promise, of one upload.
 */
export async function listen(recording, { bundle, ...options } = {}) {
  const path = `listen${asked({ bundle, format: form })}`;
  const { first, rest } = await send(path, recording, { ...options, multipart: true });
  const polished = rest.then(({ headers, bytes }) => {
    if (!headers["content-type"].startsWith("audio/")) {
      const { status, error } = json(bytes);
      throw new ApiError(status, error);
    }
    return polishedOf(bytes, (name) => headers[name]);
  });
  polished.catch(() => {});
  return { answer: json(first.bytes), polished };
}

/** The longest recording that is explained, in seconds. */
export const EXPLAINED_S = 120;

const SOUNDS = ["decided", "indifferent", "against"];

/**
 * Why a recording is called so: { figures, sounds: { decided, indifferent, against } }, Blobs.
 * `onStep(share)` says how far it has come.
 */
export async function why(recording, { genre, bundle, onStep, ...options }) {
  const parts = [];
  const onPart = (part) => {
    const step = part.headers["content-type"].startsWith("audio/") ? {} : json(part.bytes);
    if (step.progress === undefined) parts.push(part);
    else onStep(step.progress);
  };
  const path = `explain${asked({ genre, bundle, sound: "all", format: form })}`;
  await send(path, recording, { ...options, onPart });
  const [first, ...sounds] = parts;
  const figures = first && json(first.bytes);
  if (figures?.error) throw new ApiError(figures.status, figures.error);
  if (sounds.length !== SOUNDS.length) throw new ApiError(0, UNREACHABLE);
  const blob = ({ headers, bytes }) => new Blob([bytes], { type: headers["content-type"] });
  return { figures, sounds: Object.fromEntries(SOUNDS.map((name, i) => [name, blob(sounds[i])])) };
}

/** The polished recording: a Blob, and the loudness before and after (LUFS; null unknown). */
export async function polish(recording, options) {
  const answer = await send(`polish${asked({ format: form })}`, recording, options);
  return polishedOf(answer.bytes(), (name) => answer.header(name));
}

export const similar = async (embedding, n, { bundle, ...options } = {}) => {
  const path = `similar${asked({ bundle })}`;
  return json((await post(path, JSON.stringify({ embedding, n }), options)).bytes()).matches;
};

/** A first guess at what has been recorded so far; null where there is none to be had now. */
export async function guess(recording, { bundle, signal }) {
  const { blob, name } = await recording.soFar();
  const data = new FormData();
  data.append("file", blob, name);
  const path = `${BASE}classify${asked({ bundle, spectrogram: "false", live: "true" })}`;
  const answer = await fetch(path, { method: "POST", body: data, signal });
  return answer.ok ? answer.json() : null;
}

/** A sample that ships with the page, as a file. */
export async function sample(name) {
  const answer = await fetch(new URL(`samples/${name}.ogg`, import.meta.url));
  if (!answer.ok) throw new ApiError(answer.status, UNREACHABLE);
  return answer.blob();
}

/** What a model is and how good it is, which others there are, and the server's limits. */
export async function bundle(name) {
  const answer = await fetch(`${BASE}bundle${asked({ bundle: name })}`);
  if (!answer.ok) throw new ApiError(answer.status, UNREACHABLE);
  return answer.json();
}
