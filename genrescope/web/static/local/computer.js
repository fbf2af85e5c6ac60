// What `api.js` is for a server, for this very computer: recordings never leave it.

import { ApiError } from "../faults.js";
import { decode } from "./decode.js";

const ROOT = new URL("../../", import.meta.url).href;

export const EXPLAINED_S = 120;
export const SUFFIX = {};

const aborted = () => new DOMException("aborted", "AbortError");

/** The worker, and questions to it. */
class Listener {
  constructor(site) {
    this.waiting = new Map();
    this.n = 0;
    // By way of a Blob it stands under the page's own policy: it may ask nobody else either.
    const script = `import ${JSON.stringify(new URL("./worker.js", import.meta.url).href)};`;
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    this.worker = new Worker(url, { type: "module" });
    this.worker.addEventListener("message", ({ data }) => this.#hear(data));
    this.worker.addEventListener("error", () => this.#fail());
    this.ask("open", { root: ROOT, site });
  }

  /** Resolves to the answer; `onStep(share)` says how far it has come. */
  ask(ask, values = {}, { transfer = [], signal, onStep } = {}) {
    const id = ++this.n;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted());
      this.waiting.set(id, { resolve, reject, onStep });
      signal?.addEventListener("abort", () => {
        if (!this.waiting.delete(id)) return;
        this.worker.postMessage({ id: ++this.n, ask: "leave", question: id });
        reject(aborted());
      });
      this.worker.postMessage({ id, ask, ...values }, transfer);
    });
  }

  #hear({ id, found, error, share }) {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    if (share !== undefined) return waiting.onStep?.(share);
    this.waiting.delete(id);
    if (!error) waiting.resolve(found);
    else if (error.name === "RangeError") waiting.reject(new ApiError(0, { code: "unusable_audio" }));
    else waiting.reject(new ApiError(500, { code: "internal" }));
  }

  #fail() {
    for (const { reject } of this.waiting.values()) reject(new ApiError(500, { code: "internal" }));
    this.waiting.clear();
  }
}

let sessions = 0;
let begun = null;

/** { site, worker }: what was published here, and the worker that has begun to load it. */
function open() {
  begun ??= fetch(`${ROOT}static/site.json`)
    .then((answer) => answer.json())
    .then((site) => ({ site, worker: new Listener(site) }));
  begun.catch(() => (begun = null)); // another time it may be there
  return begun.catch(() => {
    throw new ApiError(0, { code: "unreachable" });
  });
}

/** The name by which the worker knows a model; of the usual one without a name. */
function nameOf(site, bundle) {
  const model = bundle ? site.bundles.find(({ name }) => name === bundle) : site.bundles[0];
  if (!model) throw new ApiError(0, { code: "unknown_bundle" });
  return model.name;
}

/** Decodes a recording and hands it to the worker: { worker, session }. */
async function takeIn({ blob }, { bundle, signal, keep = false } = {}) {
  const { site, worker } = await open();
  const model = nameOf(site, bundle);
  let session = null;
  const forget = () => session && worker.ask("forget", { session });
  const take = async ({ rate, channels }) => {
    if (signal?.aborted) throw aborted();
    if (!session) {
      session = ++sessions;
      await worker.ask("begin", { session, model, rate, keep }, { signal });
    }
    // Handed over, not copied: ten minutes of sound are much to hold twice.
    const transfer = channels.map(({ buffer }) => buffer);
    await worker.ask("push", { session, channels }, { transfer, signal });
  };
  const again = async () => {
    await forget();
    session = null;
  };
  try {
    await decode(blob, { maxS: site.limits.audio_s, take, again });
  } catch (error) {
    forget();
    throw error;
  }
  return { worker, session };
}

export async function classify(recording, { bundle, signal } = {}) {
  if (recording.heard) return recording.heard;
  const { worker, session } = await takeIn(recording, { bundle, signal });
  return worker.ask("answer", { session }, { signal });
}

/** The answer; there is no more beautiful version without a server. */
export const listen = async (recording, options) => ({
  answer: await classify(recording, options),
  polished: null,
});

/** Why a recording is called so: { figures, sounds: { decided, indifferent, against } }, Blobs. */
export async function why(recording, { genre, bundle, signal, onStep }) {
  const { worker, session } = await takeIn(recording, { bundle, signal, keep: true });
  const asked = { session, genre };
  const { figures, sounds } = await worker.ask("explain", asked, { signal, onStep });
  const blobs = Object.entries(sounds).map(([name, bytes]) => [
    name,
    new Blob([bytes], { type: "audio/wav" }),
  ]);
  return { figures, sounds: Object.fromEntries(blobs) };
}

export async function similar(embedding, n, { bundle, signal } = {}) {
  const { site, worker } = await open();
  return worker.ask("similar", { model: nameOf(site, bundle), embedding, n }, { signal });
}

export async function sample(name) {
  const answer = await fetch(`${ROOT}static/samples/${name}.ogg`);
  if (!answer.ok) throw new ApiError(answer.status, { code: "unreachable" });
  return answer.blob();
}

/** What a model is, how good it is, and which others there are; answers once it can be asked. */
export async function bundle(name) {
  const { site, worker } = await open();
  const model = nameOf(site, name);
  await worker.ask("load", { model });
  const { limits, version } = site;
  const bundles = site.bundles.map(({ name, facts: { labels } }) => ({ name, labels }));
  return { ...site.bundles.find((each) => each.name === model).facts, limits, version, bundles };
}

/** A first guess at what has been recorded so far; null where there is none to be had now. */
export const guess = (recording, { signal }) => recording.ear?.guess({ signal }) ?? null;

/** An ear at a microphone: the samples themselves, at its own rate, not what is kept of them. */
export const listenIn = (stream, { bundle } = {}) => new Ear(stream, bundle);

class Ear {
  constructor(stream, bundle) {
    this.session = ++sessions;
    this.opened = this.#open(stream, bundle);
    this.opened.catch(() => {}); // then the recording itself is decoded in the end
  }

  async #open(stream, bundle) {
    const { site, worker } = await open();
    const model = nameOf(site, bundle);
    const { sampleRate } = stream.getAudioTracks()[0].getSettings();
    // Firefox joins a microphone to a context of its own rate alone.
    this.context = new AudioContext(sampleRate ? { sampleRate } : {});
    this.context.resume();
    await worker.ask("begin", { session: this.session, model, rate: this.context.sampleRate });
    await this.context.audioWorklet.addModule(new URL("./tap.js", import.meta.url));
    const options = { numberOfOutputs: 0, channelCountMode: "max" };
    this.tap = new AudioWorkletNode(this.context, "genrescope-tap", options);
    this.ended = new Promise((resolve) => {
      this.tap.port.onmessage = ({ data: channels }) => {
        if (!channels) return resolve();
        const transfer = channels.map(({ buffer }) => buffer);
        worker.ask("push", { session: this.session, channels }, { transfer }).catch(() => {});
        this.heard = true;
      };
    });
    this.context.createMediaStreamSource(stream).connect(this.tap);
    return worker;
  }

  async guess({ signal }) {
    const worker = await this.opened;
    return this.heard ? worker.ask("guess", { session: this.session }, { signal }) : null;
  }

  /** The answer for all that was heard; undefined where nothing was. */
  async finish() {
    try {
      const worker = await this.opened;
      this.tap.port.postMessage(null);
      await this.ended;
      this.context.close();
      return this.heard && (await worker.ask("answer", { session: this.session }));
    } catch {
      return undefined;
    }
  }
}
