// The HTTP API, with its refusals as errors a person understands.

const BASE = "/api/v1/";
const PATIENCE = 3; // how often a busy server is asked again
const SILENCE_MS = 120_000; // without a byte either way, the server is gone

export class ApiError extends Error {
  constructor(status, { code, message, remedy }) {
    super(message);
    Object.assign(this, { status, code, remedy });
  }
}

/** Whether the same may be asked another time: the fault was not the recording's. */
export const mayPass = ({ status, code }) =>
  code === "unreachable" || status === 408 || status === 429 || status >= 500;

/** What an error says, with its remedy. */
export const said = (error) => `${error.message ?? ""} ${error.remedy ?? ""}`.trim();

const UNREACHABLE = {
  code: "unreachable",
  message: "The server did not answer.",
  remedy: "Check that it is still running and that you are connected, then try again.",
};

const UNREADABLE = {
  code: "unreadable",
  message: "This file cannot be read, or not any more.",
  remedy: "A folder cannot be listened to; choose a file.",
};

// What something between the page and the server may say for it.
const NOT_OURS = {
  413: {
    code: "too_large",
    message: "The recording is too large for this server.",
    remedy: "Choose a shorter excerpt, or a compressed format such as mp3.",
  },
  429: {
    code: "too_many",
    message: "Too many recordings were sent from here.",
    remedy: "Wait a moment and try again.",
  },
};

const pause = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    });
  });

/** Sends a body; a busy server (503) is asked again after as long as it says. */
async function post(path, body, { responseType = "json", onBusy, ...options } = {}) {
  for (let attempt = 1; ; attempt++) {
    const answer = await exchange(path, body, { responseType, ...options });
    if (answer.status === 200) return answer;
    const error = await faultOf(answer);
    if (error.status !== 503 || attempt === PATIENCE) throw error;
    onBusy?.();
    await pause(Math.min(Number(answer.header("Retry-After")) || 2, 10), options.signal);
  }
}

// XMLHttpRequest, not fetch: only it tells how far an upload has come.
function exchange(path, body, { responseType, onProgress, onReceive, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", BASE + path);
    request.responseType = responseType;
    let timer = 0;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        reject(new ApiError(0, UNREACHABLE));
        request.abort();
      }, SILENCE_MS);
    };
    request.upload.addEventListener("progress", (e) => {
      wait();
      onProgress?.(e.loaded / e.total);
    });
    request.addEventListener("progress", (e) => {
      wait();
      if (e.lengthComputable) onReceive?.(e.loaded / e.total);
    });
    request.addEventListener("loadend", () => clearTimeout(timer));
    request.addEventListener("load", () =>
      resolve({
        status: request.status,
        body: request.response,
        header: (name) => request.getResponseHeader(name),
      }),
    );
    request.addEventListener("error", () => reject(new ApiError(0, UNREACHABLE)));
    request.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    if (typeof body === "string") request.setRequestHeader("Content-Type", "application/json");
    wait();
    request.send(body);
  });
}

async function faultOf({ status, body }) {
  try {
    const content = body instanceof Blob ? JSON.parse(await body.text()) : body;
    return new ApiError(status, content.error);
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
      throw new ApiError(0, UNREADABLE);
    }
    throw error;
  }
}

const readable = (blob) =>
  blob.slice(0, 1).arrayBuffer().then(
    () => true,
    () => false,
  );

export const classify = async (recording, options) =>
  (await send("classify", recording, options)).body;

export const similar = async (embedding, n, options) =>
  (await post("similar", JSON.stringify({ embedding, n }), options)).body.matches;

/** The polished recording: a wav Blob, and the loudness before and after (LUFS; null unknown). */
export async function polish(recording, options) {
  const answer = await send("polish", recording, { ...options, responseType: "blob" });
  return {
    blob: answer.body,
    before: answer.header("X-Loudness-Before"),
    after: answer.header("X-Loudness-After"),
  };
}

export async function bundle() {
  const answer = await fetch(BASE + "bundle");
  if (!answer.ok) throw new ApiError(answer.status, UNREACHABLE);
  return answer.json();
}
