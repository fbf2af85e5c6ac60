// The page's states: idle, asking, recording, listening, result, trouble.

import * as api from "./api.js";
import { $, announce, offer } from "./dom.js";
import { MAX_S, MIN_S, openMicrophone, Recording } from "./recorder.js";
import { Replay } from "./replay.js";
import { clearTracks, hue, showTracks, showVerdict } from "./result.js";
import { frequencyAxis, paint, timeAxis, timeline } from "./spectrogram.js";
import { Stage } from "./stage.js";
import { clock, honesty, megabytes, microphoneTrouble } from "./words.js";

const N_SUGGESTIONS = 6;
const IDLE_HINT = "Press Start and allow the microphone. Three to thirty seconds.";
const WELCOME =
  "Let it hear a few seconds. It names the genre, and gives you your sound back, a little more beautiful.";
const LEADS = {
  recording: `Recorded exactly as the microphone hears it. It stops by itself after ${MAX_S} seconds.`,
  listening: "One moment.",
};

const stage = new Stage($("stage"), $("level"));
const replay = new Replay();
let state = "idle";
let recording = null;
let pending = null; // the AbortController of what is under way
let shown = null; // that of the result on the page, whose other half may still be coming
let last = null; // the sound that was sent last, to try again
let limits = { upload_bytes: 50 * 2 ** 20, audio_s: 900 };
let ticker = 0;
let duration = 0; // of what is shown, s

function enter(next) {
  state = next;
  document.body.dataset.state = next;
  const working = ["idle", "asking", "recording", "listening"].includes(next);
  $("listen").hidden = !working;
  $("trouble").hidden = next !== "trouble";
  $("result").hidden = next !== "result";
  $("cancel").hidden = !["asking", "recording", "listening"].includes(next);
  $("file-way").hidden = next !== "idle";
  $("progress").hidden = true;
  $("lead").textContent = LEADS[next] ?? WELCOME;
  showButton();
  if (next === "idle") $("hint").textContent = IDLE_HINT;
}

/** Says what goes on, to whoever listens to the page as well; the button that was pressed is gone. */
function hint(words) {
  $("hint").textContent = words;
  announce(words);
  if (document.activeElement === document.body) $("record").focus({ preventScroll: true });
}

function showButton() {
  const waiting = state === "asking" || state === "listening";
  const early = state === "recording" && recording.elapsed < MIN_S;
  const label = { asking: "Asking", listening: "Listening", recording: "Stop" }[state] ?? "Start";
  const sign = waiting ? "wait" : state === "recording" ? "stop" : "mic";
  $("record-label").textContent = label;
  $("record-icon").setAttribute("href", `#${sign}`);
  $("record").setAttribute("aria-disabled", String(waiting || early));
  $("record-time").textContent = state === "recording" ? clock(recording.elapsed) : "";
}

// Recording

async function start() {
  replay.pause();
  enter("asking");
  hint("Your browser asks whether this page may listen. Please allow it.");
  const asked = (pending = new AbortController());
  let stream;
  try {
    stream = await openMicrophone();
    if (asked.signal.aborted) throw new DOMException("cancelled", "AbortError");
    recording = new Recording(stream, { onEnd: stop });
  } catch (error) {
    stream?.getTracks().forEach((track) => track.stop());
    if (!asked.signal.aborted) trouble(...microphoneTrouble(error), start);
    return;
  }
  enter("recording");
  $("record").focus();
  stage.start(recording);
  announce(`Recording. Stop is possible after ${MIN_S} seconds; it stops by itself after ${MAX_S}.`);
  ticker = setInterval(tick, 100);
  tick();
}

let wasQuiet = false;

function tick() {
  const { elapsed } = recording;
  showButton();
  const quiet = elapsed > 2 && stage.loudness < -58;
  if (quiet && !wasQuiet) announce("Very quiet.");
  wasQuiet = quiet;
  const words = quiet
    ? "Very quiet. Bring the microphone closer to the music."
    : elapsed < MIN_S
      ? `Stop is possible after ${MIN_S} seconds.`
      : `Stop whenever you like. The longer, the surer: ten seconds are good.`;
  if ($("hint").textContent !== words) $("hint").textContent = words;
}

async function stop() {
  if (state !== "recording") return;
  const { elapsed } = recording;
  const asked = pending;
  const sound = await endRecording();
  if (asked.signal.aborted) return; // cancelled, or another sound chosen, meanwhile
  if (elapsed < MIN_S) trouble(...microphoneTrouble({ name: "TooShort" }), start);
  else listenTo({ ...sound, recorded: true });
}

function endRecording() {
  clearInterval(ticker);
  const ending = recording.stop();
  stage.stop();
  enter("listening");
  return ending;
}

function pressed() {
  if (state === "idle") start();
  else if (state === "recording") {
    const left = Math.ceil(MIN_S - recording.elapsed);
    if (left > 0) announce(`${left} more seconds, please.`);
    else stop();
  }
}

function cancel() {
  pending?.abort();
  if (state === "recording") endRecording();
  enter(shown ? "result" : "idle");
  $(shown ? "again" : "record").focus();
  announce("Cancelled.");
}

// Files

function choose() {
  $("file").value = "";
  $("file").click();
}

function take(file) {
  if (!file) return;
  pending?.abort();
  if (state === "recording") endRecording();
  replay.pause();
  if (file.size > limits.upload_bytes) {
    trouble(
      "This file is too large",
      `“${file.name}” weighs ${megabytes(file.size)}; up to ${megabytes(limits.upload_bytes)} is accepted. A shorter excerpt, or a compressed format such as mp3, will do.`,
    );
  } else if (file.size === 0) {
    trouble("This file is empty", `There is nothing in “${file.name}”. Choose another one.`);
  } else listenTo({ blob: file, name: plainName(file.name), recorded: false });
}

/** A name without what could turn the words around it. */
const plainName = (name) => name.replace(/\p{C}/gu, "");

function acceptDrops() {
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const { files } = event.dataTransfer;
    take(files[0]);
    if (files.length > 1) hint(`Listening to the first of ${files.length} files.`);
  });
}

// The answer

async function listenTo(sound) {
  forget();
  last = sound;
  enter("listening");
  hint(sound.recorded ? "Listening to it." : `Listening to “${sound.name}”.`);
  const asked = (pending = new AbortController());
  try {
    const answer = await api.classify(sound, {
      signal: asked.signal,
      onProgress: showProgress,
      onBusy: () => hint("Many are listening right now. It asks again in a moment."),
    });
    [pending, shown] = [null, asked];
    showResult(sound, answer, asked.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    trouble("This did not work", api.said(error), api.mayPass(error) ? again : null);
  }
}

const again = () => listenTo(last);

function showProgress(share) {
  $("progress").hidden = share >= 1 || last.blob.size < 2 ** 20;
  $("progress").value = share;
}

function showResult(sound, answer, signal) {
  enter("result");
  duration = answer.duration_s;
  const words = showVerdict(answer);
  paint($("spectrogram"), answer.spectrogram);
  $("spectrogram").setAttribute(
    "aria-label",
    `${answer.spectrogram.scale === "mel" ? "Mel spectrogram" : "Spectrogram"} of ${Math.round(duration)} seconds, low tones at the bottom, loud ones bright`,
  );
  frequencyAxis($("scope-hz"), answer.spectrogram);
  timeAxis($("scope-seconds"), duration);
  const segments = answer.timeline;
  const seek = (seconds) => replay.playFrom(seconds);
  timeline($("timeline"), $("legend"), { segments, duration, hue, seek });
  $("genre").focus({ preventScroll: true });
  scrollTo({ top: 0 });
  announce(words);
  replay.showOriginal(sound, { seconds: duration, signal });
  const silent = answer.genre === null;
  $("result").classList.toggle("silent", silent);
  if (silent) return;
  suggest(answer.embedding, signal);
  replay.showPolished(sound, { seconds: duration, signal });
}

async function suggest(embedding, signal) {
  clearTracks("Looking for its neighbours.");
  try {
    showTracks(await api.similar(embedding, N_SUGGESTIONS, { signal }));
  } catch (error) {
    if (error.name === "AbortError") return;
    clearTracks(api.said(error));
    if (!api.mayPass(error)) return;
    offer($("similar-note"), api.said(error), "Try again", () => suggest(embedding, signal));
  }
}

// Starting over, and what goes wrong

function forget() {
  pending?.abort();
  shown?.abort();
  pending = shown = last = null;
  replay.clear();
}

function trouble(title, text, retry = null) {
  enter("trouble");
  $("trouble-title").textContent = title;
  $("trouble-text").textContent = text;
  $("retry").textContent = retry ? "Try again" : "Record instead";
  $("retry").onclick = retry ?? start;
  $("trouble").focus();
}

async function learnLimits() {
  try {
    const bundle = await api.bundle();
    limits = bundle.limits;
    $("honesty").textContent = honesty(bundle);
    $("version").textContent = `Genrescope ${bundle.version}`;
  } catch {
    // The page works without; whatever is wrong will be said when a recording is sent.
  }
}

$("record").addEventListener("click", pressed);
$("cancel").addEventListener("click", cancel);
for (const id of ["again", "again-end"]) $(id).addEventListener("click", start);
for (const id of ["choose", "another", "trouble-choose"]) $(id).addEventListener("click", choose);
$("file").addEventListener("change", () => take($("file").files[0]));
$("scope-picture").addEventListener("click", (event) => {
  const box = $("scope-picture").getBoundingClientRect();
  replay.playFrom(((event.clientX - box.left) / box.width) * duration);
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("cancel").hidden) cancel();
});
acceptDrops();
learnLimits();
enter("idle");
