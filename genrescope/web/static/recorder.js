// The microphone: one recording of 3 to 30 seconds, unprocessed.

import * as api from "./api.js";

export const MIN_S = 3;
export const MAX_S = 30;

const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus", "audio/webm"];
const SUFFIX = { "audio/webm": "webm", "audio/mp4": "m4a", "audio/ogg": "ogg" };

const named = (name) => Object.assign(new Error(name), { name });

/**
 * Opens the microphone. Rejects with a DOMException, or with an error named InsecureContext or
 * Unsupported.
 */
export async function openMicrophone() {
  if (!window.isSecureContext) throw named("InsecureContext");
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) throw named("Unsupported");
  // A voice call's processing would take the music out of the music.
  return navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
}

export class Recording {
  /**
   * Starts at once; `onEnd` is called when the 30 seconds are over or the microphone goes away.
   * `bundle` is the model that is to listen, where this computer listens by itself.
   */
  constructor(stream, { bundle, onEnd }) {
    this.stream = stream;
    this.chunks = [];
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: 128000 });
    this.recorder.addEventListener("dataavailable", (e) => this.chunks.push(e.data));
    this.context = new AudioContext();
    this.context.resume();
    this.analyser = new AnalyserNode(this.context, { fftSize: 4096, smoothingTimeConstant: 0.75 });
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.ear = api.listenIn?.(stream, { bundle });
    this.recorder.start();
    this.started = performance.now();
    stream.getAudioTracks()[0].addEventListener("ended", onEnd);
    this.timer = setInterval(() => this.elapsed >= MAX_S && onEnd(), 100);
  }

  get elapsed() {
    return Math.min((performance.now() - this.started) / 1000, MAX_S);
  }

  /** What has been recorded until now, as { blob, name }. */
  async soFar() {
    if (this.recorder.state === "recording") {
      const handed = new Promise((resolve) =>
        this.recorder.addEventListener("dataavailable", resolve, { once: true }),
      );
      this.recorder.requestData();
      await handed;
    }
    return this.#sound();
  }

  /**
   * Ends the recording and lets the microphone go; resolves to { blob, name, heard }, the last the
   * answer if this computer has listened by itself.
   */
  async stop() {
    const heard = this.ear?.finish();
    const ended = new Promise((resolve) => this.recorder.addEventListener("stop", resolve));
    if (this.recorder.state === "inactive") this.chunks.length || (await ended);
    else {
      this.recorder.stop();
      await ended;
    }
    this.release();
    return { ...this.#sound(), heard: await heard };
  }

  #sound() {
    const type = (this.recorder.mimeType || this.chunks[0]?.type || "audio/webm").split(";")[0];
    return { blob: new Blob(this.chunks, { type }), name: `recording.${SUFFIX[type] ?? "webm"}` };
  }

  release() {
    clearInterval(this.timer);
    this.stream.getTracks().forEach((track) => track.stop());
    if (this.context.state !== "closed") this.context.close();
  }
}
