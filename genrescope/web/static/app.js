// The page's states: idle, asking, recording, listening, result, trouble, visit.

import * as api from "./api.js";
import { showBeat } from "./beat.js";
import { $, announce, offer, save } from "./dom.js";
import { Dreams } from "./dreams.js";
import { acceptFiles } from "./files.js";
import * as keep from "./keep.js";
import * as live from "./live.js";
import * as models from "./models.js";
import { follow, prepareWay } from "./place.js";
import { MAX_S, MIN_S, openMicrophone, Recording } from "./recorder.js";
import { Replay } from "./replay.js";
import { showVerdict } from "./result.js";
import { describePicture, frequencyAxis, paint, timeAxis, timeline } from "./scope.js";
import { answerOf, offerShare, prepareShare } from "./share.js";
import { audible } from "./silence.js";
import { Stage } from "./stage.js";
import { choose as chooseTracks, clearTracks, N_ASKED, showTracks } from "./suggestions.js";
import { clock, count, megabytes, t } from "./text.js";
import { csv, Tries } from "./tries.js";
import { explicable, Why } from "./why.js";
import { isMusic, isSilent, microphoneTrouble, spoken, tabTitle } from "./words.js";

follow();

const WORKING = ["idle", "asking", "recording", "listening"];

const stage = new Stage($("stage"), $("level"));
const dreams = new Dreams({
  onPlay() {
    tries.pause();
    replay.pause();
  },
});
const replay = new Replay({
  explain,
  onPlay() {
    tries.pause();
    dreams.pause();
  },
});
const why = new Why({ explain, player: replay.player });
const tries = new Tries({
  onOpen: open,
  onRetry: (attempt) => listenTo(attempt.sound, attempt),
  onPlay() {
    replay.pause();
    dreams.pause();
  },
});
let state = "idle";
let recording = null;
let guessing = null;
let pending = null; // the AbortController of what is under way
let shown = null; // of the result on the page: { attempt, leaving }
let last = null; // the sound that was sent last, to try again
let ticker = 0;
let keptUrl = null; // of a recording that the server did not take

function enter(next) {
  state = next;
  document.body.dataset.state = next;
  $("listen").hidden = !WORKING.includes(next);
  $("trouble").hidden = next !== "trouble";
  $("result").hidden = next !== "result";
  $("cancel").hidden = !["asking", "recording", "listening"].includes(next);
  for (const id of ["file-way", "samples", "choices"]) $(id).hidden = next !== "idle";
  $("progress").hidden = true;
  $("visit").hidden = !tries.all.length || !["idle", "result", "trouble", "visit"].includes(next);
  $("several-title").hidden = next !== "visit";
  $("more").hidden = !["result", "visit"].includes(next);
  if (next !== "trouble") $("trouble-audio").removeAttribute("src");
  const leads = { recording: t("lead.recording", { most: MAX_S }), listening: t("lead.listening") };
  $("lead").textContent = leads[next] ?? t("listen.lead");
  document.title = titleOf(next);
  showButton();
  if (next === "idle") $("hint").textContent = t("hint.idle");
}

function titleOf(next) {
  if (next === "result" && shown) return tabTitle(shown.attempt.answer);
  if (next === "visit") return t("title.plain", { what: t("visit.several") });
  const titles = { recording: "title.recording", listening: "title.listening" };
  return t(titles[next] ?? "title.idle");
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
  const label = {
    asking: "record.asking",
    listening: "record.listening",
    recording: "record.stop",
  }[state];
  const sign = waiting ? "wait" : state === "recording" ? "stop" : "mic";
  $("record-label").textContent = t(label ?? "record.start");
  $("record-icon").setAttribute("href", `#icon-${sign}`);
  $("record").setAttribute("aria-disabled", String(waiting || early));
  $("record-time").textContent = state === "recording" ? clock(recording.elapsed) : "";
}

function quiet() {
  replay.pause();
  tries.pause();
}

// Recording

async function start() {
  quiet();
  pending?.abort();
  enter("asking");
  scrollTo({ top: 0 });
  hint(t("hint.asking"));
  const asked = (pending = new AbortController());
  let stream;
  try {
    stream = await openMicrophone();
    if (asked.signal.aborted) throw new DOMException("cancelled", "AbortError");
    recording = new Recording(stream, { bundle: models.chosen(), onEnd: stop });
  } catch (error) {
    stream?.getTracks().forEach((track) => track.stop());
    if (!asked.signal.aborted) trouble(...microphoneTrouble(error), { retry: start });
    return;
  }
  enter("recording");
  $("record").focus({ preventScroll: true });
  stage.start(recording);
  if ($("live").checked) guessing = new live.LiveGuess(recording, { bundle: models.chosen() });
  announce(t("said.recording", { least: MIN_S, most: MAX_S }));
  ticker = setInterval(tick, 100);
  tick();
}

let wasQuiet = false;

function tick() {
  const { elapsed } = recording;
  showButton();
  const tooQuiet = elapsed > 2 && stage.loudness < -58;
  if (tooQuiet && !wasQuiet) announce(t("said.quiet"));
  wasQuiet = tooQuiet;
  const words = tooQuiet
    ? t("hint.quiet")
    : elapsed < MIN_S
      ? t("hint.early", { least: MIN_S })
      : t("hint.recording");
  if ($("hint").textContent !== words) $("hint").textContent = words;
}

async function stop() {
  if (state !== "recording") return;
  const { elapsed } = recording;
  const asked = pending;
  const sound = await endRecording();
  if (asked.signal.aborted) return; // cancelled, or another sound chosen, meanwhile
  if (elapsed < MIN_S) trouble(...microphoneTrouble({ name: "TooShort" }), { retry: start });
  else listenTo({ ...sound, recorded: true });
}

function endRecording() {
  clearInterval(ticker);
  guessing?.stop();
  guessing = null;
  const ending = recording.stop();
  stage.stop();
  enter("listening");
  return ending;
}

function pressed() {
  if (state === "idle") start();
  else if (state === "recording") {
    const left = Math.ceil(MIN_S - recording.elapsed);
    if (left > 0) announce(count("said.wait", left));
    else stop();
  }
}

function cancel() {
  pending?.abort();
  pending = null;
  if (state === "recording") endRecording();
  announce(t("said.cancelled"));
  if (shown) return back();
  enter("idle");
  $("record").focus();
}

/** To the result that is still here. */
function back() {
  enter("result");
  $("again").focus({ preventScroll: true });
}

// Files

function choose() {
  $("file").value = "";
  $("file").click();
}

function take(chosen) {
  const files = [...chosen];
  if (!files.length) return;
  pending?.abort();
  if (state === "recording") endRecording();
  quiet();
  const sounds = files.map((file) => ({ blob: file, name: plainName(file.name), recorded: false }));
  if (sounds.length > 1) listenToAll(sounds);
  else {
    const refused = refusal(sounds[0]);
    if (refused) trouble(...refused);
    else listenTo(sounds[0]);
  }
}

/** A name without what could turn the words around it. */
const plainName = (name) => name.replace(/\p{C}/gu, "");

/** Why a file need not be sent at all, as [title, text]; null where it may be. */
function refusal({ blob, name }) {
  const most = models.limits().upload_bytes;
  if (blob.size > most) {
    return [
      t("large.title"),
      t("large.text", { name, size: megabytes(blob.size), most: megabytes(most) }),
    ];
  }
  return blob.size ? null : [t("empty.title"), t("empty.text", { name })];
}

async function tryOut(button) {
  const name = button.textContent;
  pending?.abort();
  quiet();
  enter("listening");
  hint(t("hint.fetching", { name }));
  const asked = (pending = new AbortController());
  try {
    const blob = await api.sample(button.dataset.sample);
    if (!asked.signal.aborted)
      listenTo({ blob, name: `${button.dataset.sample}.ogg`, recorded: false });
  } catch {
    if (!asked.signal.aborted)
      trouble(t("trouble.title"), t("fault.unreachable"), { retry: () => tryOut(button) });
  }
}

// The answer

/** What an error says to a person; `name` is the recording's. */
function explain(error, name) {
  return api.explain(error, { name, limits: models.limits() });
}

/** Sends a sound and shows the answer; `failed` is the try of this very sound that failed before. */
async function listenTo(sound, failed = null) {
  const model = models.chosen();
  pending?.abort();
  last = sound;
  enter("listening");
  hint(sound.recorded ? t("hint.recorded") : t("hint.listening", { name: sound.name }));
  const asked = (pending = new AbortController());
  try {
    const { answer, polished } = await api.listen(sound, {
      bundle: model,
      signal: asked.signal,
      onProgress: showProgress,
      onBusy: () => hint(t("hint.busy")),
    });
    pending = null;
    const attempt = failed ?? tries.add({ name: nameOf(sound), sound });
    Object.assign(attempt, {
      model,
      answer: audible(answer),
      polished: null,
      matches: null,
      error: null,
    });
    show(attempt, { leaving: asked, polished });
  } catch (error) {
    if (error.name === "AbortError") return;
    pending = null;
    const again = api.mayPass(error) ? () => listenTo(sound, failed) : null;
    const words = explain(error, sound.name);
    const kept = sound.recorded ? sound : null;
    if (kept) failed ??= tries.add({ name: nameOf(sound), sound, answer: null });
    if (failed) failed.error = words;
    tries.show();
    remember();
    trouble(t("trouble.title"), words, { retry: again, sound: kept });
  }
}

const nameOf = (sound) =>
  sound.recorded
    ? t("visit.recording", {
        time: new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
      })
    : sound.name;

function showProgress(share) {
  $("progress").hidden = share >= 1 || last.blob.size < 2 ** 20;
  $("progress").value = share;
}

/** Several files: each becomes a try; what fails says so in its row. */
async function listenToAll(sounds) {
  enter("listening");
  hide();
  const model = models.chosen();
  const asked = (pending = new AbortController());
  for (const [i, sound] of sounds.entries()) {
    if (asked.signal.aborted) break;
    last = sound;
    hint(t("hint.several", { i: i + 1, n: sounds.length, name: sound.name }));
    const refused = refusal(sound);
    if (refused) {
      tries.add({ name: sound.name, sound: null, answer: null, error: refused[1] });
      continue;
    }
    try {
      const options = { bundle: model, signal: asked.signal, onProgress: showProgress };
      const answer = await api.classify(sound, options);
      tries.add({ name: sound.name, sound, model, answer: audible(answer) });
    } catch (error) {
      if (error.name === "AbortError") break;
      tries.add({ name: sound.name, sound: null, answer: null, error: explain(error, sound.name) });
    }
  }
  if (asked.signal.aborted && state !== "idle") return; // another sound was chosen
  pending = null;
  tries.show();
  remember();
  enter(tries.all.length ? "visit" : "idle");
  scrollTo({ top: 0 });
  if (tries.all.length) $("several-title").focus({ preventScroll: true });
}

/** Leaves the result that is shown. */
function hide() {
  shown?.leaving.abort();
  shown = null;
  tries.current = null;
  why.show(null);
  dreams.show(null);
  replay.clear();
}

/** Shows a try of before. */
function open(attempt) {
  pending?.abort();
  tries.pause();
  show(attempt, { leaving: new AbortController() });
}

/** Shows a try in full; `polished` is the promise of its more beautiful version, if under way. */
function show(attempt, { leaving, polished = null, quietly = false }) {
  hide();
  shown = { attempt, leaving };
  const { answer, sound } = attempt;
  tries.current = attempt.id ?? null;
  if (!attempt.shared && location.hash)
    history.replaceState(null, "", location.pathname + location.search);
  tries.show();
  enter("result");
  const silent = isSilent(answer);
  const { classList } = $("result");
  classList.toggle("silent", silent);
  classList.toggle("nameless", !isMusic(answer));
  classList.toggle("figures", !sound);
  $("sound-title").textContent = t(sound ? "sound.title" : "timeline.title");
  classList.toggle("pictured", Boolean(answer.spectrogram));
  showVerdict(answer, explicable(attempt) ? (genre) => why.open(genre) : null);
  showBeat(answer, replay.player);
  models.showAccuracy(answer);
  const duration = answer.duration_s;
  if (answer.spectrogram) {
    paint($("spectrogram"), answer.spectrogram);
    $("spectrogram").setAttribute("aria-label", describePicture(answer.spectrogram, duration));
    frequencyAxis($("scope-hz"), answer.spectrogram);
  }
  timeAxis($("scope-seconds"), duration);
  const seek = (seconds) => replay.playFrom(seconds);
  timeline($("timeline"), $("legend"), { segments: answer.timeline, duration, seek });
  classList.remove("reveal");
  if (!quietly) {
    void $("result").offsetWidth; // so that it is revealed anew
    classList.add("reveal");
    $("genre").focus({ preventScroll: true });
    scrollTo({ top: 0 });
    announce(spoken(answer));
  }
  $("similar").hidden = !isMusic(answer) || !(answer.embedding || attempt.matches);
  why.show(attempt);
  dreams.show(answer);
  replay.show(attempt, { signal: leaving.signal, polished });
  if (isMusic(answer)) suggest(attempt, leaving.signal);
  remember();
}

const remember = () => keep.save(tries.all, tries.current);

async function suggest(attempt, signal) {
  if (attempt.matches) return showTracks(attempt.matches);
  if (!attempt.answer.embedding) return;
  clearTracks(t("similar.wait"));
  try {
    const options = { signal, bundle: attempt.model };
    attempt.matches = chooseTracks(await api.similar(attempt.answer.embedding, N_ASKED, options));
    if (signal.aborted) return;
    showTracks(attempt.matches);
    remember();
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    const words = explain(error);
    clearTracks(words);
    if (api.mayPass(error))
      offer($("similar-note"), words, t("retry"), () => suggest(attempt, signal));
  }
}

// What goes wrong

/** Says it, and loses nothing: a result stays within reach, and so does a recording (`sound`). */
function trouble(title, text, { retry = null, sound = null } = {}) {
  enter("trouble");
  $("trouble-title").textContent = title;
  $("trouble-text").textContent = text;
  $("retry").textContent = t(retry ? "retry" : "trouble.record");
  $("retry").onclick = retry ?? start;
  $("back").hidden = !shown;
  $("trouble-sound").hidden = !sound;
  if (sound) {
    if (keptUrl) URL.revokeObjectURL(keptUrl);
    keptUrl = URL.createObjectURL(sound.blob);
    $("trouble-audio").src = $("trouble-save").href = keptUrl;
    $("trouble-save").download = sound.name;
  }
  scrollTo({ top: 0 });
  $("trouble").focus({ preventScroll: true });
}

async function learnModel() {
  await models.learn();
  if (shown) models.showAccuracy(shown.attempt.answer);
}

function showConnection() {
  $("offline").hidden = navigator.onLine;
}

/** Shows what the address holds, or what was here before a reload. */
function restore() {
  const kept = keep.load();
  tries.all = kept.tries;
  tries.show();
  const answer = answerOf(location.hash);
  const returned = keep.returned();
  const attempt = returned && tries.find(kept.current);
  const leaving = new AbortController();
  if (answer) show({ name: "", answer, sound: null, shared: true }, { leaving, quietly: true });
  else if (attempt?.answer) show(attempt, { leaving, quietly: true });
  else enter(returned && tries.all.some((each) => each.answer) ? "visit" : "idle");
}

$("record").addEventListener("click", pressed);
$("cancel").addEventListener("click", cancel);
$("back").addEventListener("click", back);
for (const id of ["again", "again-end"]) $(id).addEventListener("click", start);
for (const id of ["choose", "another", "another-end", "trouble-choose"]) {
  $(id).addEventListener("click", choose);
}
for (const button of document.querySelectorAll("[data-sample]")) {
  button.addEventListener("click", () => tryOut(button));
}
$("file").addEventListener("change", () => take($("file").files));
$("share").addEventListener("click", () => offerShare(shown.attempt.answer));
$("csv").addEventListener("click", () => {
  save(new Blob(["\ufeff", csv(tries.all)], { type: "text/csv" }), "genrescope.csv");
});
$("forget").addEventListener("click", () => {
  hide();
  tries.clear();
  keep.clear();
  history.replaceState(null, "", location.pathname + location.search);
  enter("idle");
  $("record").focus();
  announce(t("visit.forgotten"));
});
$("scope-picture").addEventListener("click", (event) => {
  const box = $("scope-picture").getBoundingClientRect();
  replay.playFrom(((event.clientX - box.left) / box.width) * replay.duration);
});
$("live").checked = live.remembered();
$("live").addEventListener("change", () => live.remember($("live").checked));
$("bundle").addEventListener("change", learnModel);
$("language").addEventListener("click", () => {
  const other = $("language").hreflang;
  // Where there is a server to read it.
  if (api.polish) document.cookie = `lang=${other}; path=/; max-age=31536000; samesite=lax`;
  $("language").hash = location.hash;
  if (["result", "visit"].includes(state)) keep.stay();
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || $("share-dialog").open) return;
  if (!$("cancel").hidden) cancel();
  else if (state === "trouble" && shown) back();
});
addEventListener("hashchange", () => answerOf(location.hash) && restore());
for (const kind of ["online", "offline"]) addEventListener(kind, showConnection);
acceptFiles(take);
prepareShare();
prepareWay();
showConnection();
restore();
const { worker, root } = document.body.dataset;
// Afterwards, so that keeping the page does not hold up the first answer.
learnModel().then(() =>
  navigator.serviceWorker?.register(worker, { scope: root }).catch(() => {
    // Without it the page needs a connection, as any other.
  }),
);
