// Tempo and key of a result: in words, as a tick over the replay, and as a scale.

import { $ } from "./dom.js";
import { pulseOf } from "./local/pulse.js";
import { roughly, t } from "./text.js";
import { isMusic } from "./words.js";

const PITCHES = ["A", "B♭", "B", "C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭"];
const STEPS = { major: [0, 2, 4, 5, 7, 9, 11, 12], minor: [0, 2, 3, 5, 7, 8, 10, 12] };
const A_HZ = 220;
const NOTE_S = 0.28;
const AHEAD_S = 0.15; // ticks are set so far ahead, so that a busy page does not delay them
const LOOK_MS = 50;
const OTHER_COUNT = 0.4; // octaves between two ways to count; nearer, it is the same beat, less surely

let audio = null; // made when first something is to sound, as browsers ask
let tempo = null;
let key = null;
let ticking = null; // { timer, pulse, last }: where the beats lie, and which of them was ticked last

/** Shows what an answer tells of tempo and key; `player` is the replay that ticks are laid over. */
export function showBeat(answer, player) {
  stop();
  // What is no music may have the one or the other all the same; it would only puzzle.
  tempo = isMusic(answer) ? (answer.tempo ?? null) : null;
  key = isMusic(answer) ? (answer.key ?? null) : null;
  const beats = tempo !== null && !answer.flags.includes("no beat");
  $("beat").hidden = tempo === null && key === null;
  $("beat-tempo").textContent = tempo === null ? "" : tempoInWords(beats);
  $("beat-tick-label").hidden = !beats;
  $("beat-tick").onchange = () => ($("beat-tick").checked ? start(player) : stop());
  $("beat-key").textContent =
    key === null ? "" : t("beat.key", { key: keyName(key.name), place: key.camelot, p: roughly(key.confidence) });
  $("beat-scale").hidden = key === null;
  $("beat-scale").onclick = playScale;
}

function tempoInWords(beats) {
  const bpm = Math.round(tempo.bpm);
  if (!beats) return t("beat.none");
  const words = t("beat.tempo", { bpm, p: roughly(tempo.confidence) });
  const { other } = tempo;
  const counted = other !== null && Math.abs(Math.log2(other / tempo.bpm)) > OTHER_COUNT;
  return counted ? `${words} ${t("beat.other", { bpm: Math.round(other) })}` : words;
}

function keyName(name) {
  const [tonic, mode] = name.split(" ");
  return t(`key.${PITCHES.indexOf(tonic) + (mode === "minor" ? PITCHES.length : 0)}`);
}

function context() {
  audio ??= new AudioContext();
  audio.resume();
  return audio;
}

function blip(when, hz, seconds, loud) {
  const tone = new OscillatorNode(audio, { frequency: hz });
  const level = new GainNode(audio, { gain: loud });
  level.gain.setValueAtTime(loud, when);
  level.gain.exponentialRampToValueAtTime(0.001, when + seconds);
  tone.connect(level).connect(audio.destination);
  tone.start(when);
  tone.stop(when + seconds);
}

/** A tick at every beat while the recording plays. */
function start(player) {
  context();
  const { onsets } = player.voices.original;
  // A recording too long to be looked through ticks from where it is switched on.
  const pulse = onsets ? pulseOf(onsets, tempo.bpm) : { period: 60 / tempo.bpm, first: player.time };
  ticking = { pulse, timer: setInterval(() => tick(player), LOOK_MS), last: null };
  if (!player.playing) player.play();
}

function tick(player) {
  if (!player.playing) {
    ticking.last = null;
    return;
  }
  const { period, first } = ticking.pulse;
  const beat = Math.ceil((player.time - first) / period);
  const wait = first + beat * period - player.time;
  if (beat === ticking.last || wait > AHEAD_S) return;
  ticking.last = beat;
  blip(audio.currentTime + wait, 1500, 0.04, 0.35);
}

function stop() {
  if (ticking) clearInterval(ticking.timer);
  ticking = null;
  $("beat-tick").checked = false;
}

function playScale() {
  const { currentTime } = context();
  const [tonic, mode] = key.name.split(" ");
  STEPS[mode].forEach((step, i) => {
    const hz = A_HZ * 2 ** ((PITCHES.indexOf(tonic) + step) / 12);
    blip(currentTime + 0.05 + i * NOTE_S, hz, NOTE_S * 1.5, 0.25);
  });
}
