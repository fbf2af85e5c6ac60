// From a clip's log-mel to the answer: what `genrescope.model` says, in the form of the HTTP API.

import { prepare, standardise, take, windowsOf } from "./clip.js";
import { argmax, argsortDown, maximum, mean, rint, rounded } from "./numbers.js";
import { noMusicScore } from "./texture.js";

/** Probabilities of each row of `n` logits, divided by a temperature: an array of arrays. */
export function softmax(logits, n, temperature) {
  return Array.from({ length: logits.length / n }, (_, row) => {
    const z = Array.from(logits.slice(row * n, (row + 1) * n), (logit) => logit / temperature);
    const highest = maximum(z);
    const odds = z.map((value) => Math.exp(value - highest));
    const total = odds.reduce((a, b) => a + b);
    return odds.map((value) => value / total);
  });
}

/** The mean of rows of equal length. */
const meanOf = (rows) => rows[0].map((_, i) => mean(rows.map((row) => row[i])));

/** What the net says of all windows, a few at a time: { logits, steps, embedding }, joined. */
async function infer(x, net, { starts, length }, { batch_frames }) {
  const atOnce = Math.max(1, Math.floor(batch_frames / length));
  const parts = [];
  for (let i = 0; i < starts.length; i += atOnce) {
    const some = starts.slice(i, i + atOnce);
    parts.push(await net(take(x, some, length), some.length, length));
  }
  const joined = (name) => parts.flatMap((part) => Array.from(part[name]));
  return { logits: joined("logits"), steps: joined("steps"), embedding: joined("embedding") };
}

/**
 * The answer for a clip, and the steps that it rests on: { answer, steps }, with each step's
 * { start, end, probs }.
 * @param {object} clip { logMel, duration, peak }: features, length in s, and largest amplitude
 * @param {object} bundle see `bundle.js`
 * @param {Function} net see `net.js`
 * @param {object} settings see genrescope.web.local
 * @param {?Function} hear what hears tempo and key, see `heads.js`; null where they are not asked for
 */
export async function predict({ logMel, duration, peak }, bundle, net, settings, hear = null) {
  const { labels, temperature, frameRate } = bundle;
  const n = labels.length;
  const prepared = prepare(logMel, bundle, settings);
  const { frames } = prepared;
  const places = windowsOf(frames.length, bundle, settings);
  const output = await infer(standardise(prepared.features), net, places, settings);
  const silent = peak < settings.silence_peak;
  if (silent) for (const name of Object.keys(output)) output[name].fill(0);
  const probsOfWindows = softmax(output.logits, n, temperature);
  const probs = meanOf(probsOfWindows);
  // The parts of a short clip may be too short to be more than guesses.
  const parts = output.steps.length / output.logits.length;
  const toldApart =
    places.length >= bundle.windowLength ||
    places.length >= parts * rint(settings.shortest_window_s * frameRate);
  const stepProbs = toldApart ? softmax(output.steps, n, temperature) : probsOfWindows;

  const flags = [];
  if (duration < bundle.window_s) flags.push("short");
  if (silent) flags.push("silent");
  if (frames.length < bundle.windowLength && bundle.windowLength <= logMel.nFrames) {
    flags.push("short");
  }
  if (!silent) flags.push(...doubts(prepared, duration, probs, bundle, settings));
  const beat = silent || !hear ? {} : await hear(logMel);
  if (beat.lacksBeat) flags.push("no beat");

  const endS = Math.min(duration, (frames.at(-1) + 1) / frameRate);
  const nSteps = stepProbs.length / places.starts.length;
  const steps = places.starts
    .flatMap((start) =>
      Array.from({ length: nSteps }, (_, i) =>
        timesOf(
          start + (places.length * i) / nSteps,
          start + (places.length * (i + 1)) / nSteps,
          frames,
          { frameRate, endS },
        ),
      ),
    )
    .map(([start, end], i) => ({ start, end, probs: stepProbs[i] }))
    .sort((a, b) => a.start + a.end - b.start - b.end)
    .filter(({ start }) => start < endS);
  const best = argmax(probs);
  const answer = {
    genre: silent ? null : labels[best],
    confidence: rounded(probs[best], 6),
    genres: silent ? [] : likely(probs, bundle.thresholds.set).map((i) => labels[i]),
    probabilities: Object.fromEntries(labels.map((label, i) => [label, rounded(probs[i], 6)])),
    timeline: silent ? [] : timeline(steps, labels, settings),
    duration_s: rounded(duration, 3),
    flags,
    bundle: bundle.name,
    tempo: beat.tempo ?? null,
    key: beat.key ?? null,
    embedding: direction(output.embedding, places.starts.length),
    spectrogram: picture(logMel, bundle.features, { duration, silent, settings }),
  };
  return { answer, steps };
}

/** What speaks against relying on an answer. */
function doubts(prepared, duration, probs, bundle, settings) {
  const found = [];
  const seconds = Math.min(duration, prepared.frames.length / bundle.frameRate);
  const unsure = maximum(probs) < (bundle.thresholds.uncertain ?? 0);
  if (unsure || seconds < settings.too_little_s) found.push("uncertain");
  const { no_music: noMusic } = bundle;
  if (noMusic && noMusicScore(prepared.features, noMusic, bundle, settings) > noMusic.threshold) {
    found.push("no music");
  }
  return found;
}

/** Classes, most probable first, while those before them have no more than `threshold` together. */
function likely(probs, threshold) {
  if (threshold === undefined) return [];
  let before = 0;
  return argsortDown(probs).filter((i, rank) => {
    const inside = rank === 0 || before <= threshold;
    before += probs[i];
    return inside;
  });
}

/** Start and end in s of a span of the frames that a clip was left with. */
function timesOf(start, end, frames, { frameRate, endS }) {
  // A span ends where its last frame does, not where the one after a silence begins.
  const at = (edge, frame) => {
    const within = Math.min(Math.max(frame, 0), frames.length - 1);
    return Math.min((frames[within] + (edge - within)) / frameRate, endS);
  };
  return [at(start, Math.floor(start)), at(end, Math.ceil(end) - 1)];
}

/** Labelled stretches that cover all that sounds; neighbours that agree are merged. */
function timeline(steps, labels, { apart_s }) {
  const winners = steps.map(({ probs }) => argmax(probs));
  const centre = ({ start, end }) => (start + end) / 2;
  const isApart = (i) => steps[i].start - steps[i - 1].end > apart_s;
  const between = (i) => (centre(steps[i - 1]) + centre(steps[i])) / 2;
  const segments = [];
  let first = 0;
  for (let i = 1; i <= steps.length; i++) {
    if (i < steps.length && winners[i] === winners[i - 1] && !isApart(i)) continue;
    const label = winners[first];
    const start = first === 0 || isApart(first) ? steps[first].start : between(first);
    const end = i === steps.length || isApart(i) ? steps[i - 1].end : between(i);
    segments.push({
      start: rounded(start, 3),
      end: rounded(end, 3),
      label: labels[label],
      probability: rounded(mean(steps.slice(first, i).map(({ probs }) => probs[label])), 6),
    });
    first = i;
  }
  return segments;
}

/** The windows' embeddings as one vector of length 1, or 0 if all are 0. */
function direction(embeddings, nWindows) {
  const d = embeddings.length / nWindows;
  const total = new Float64Array(d);
  embeddings.forEach((value, i) => (total[i % d] += value));
  const length = Math.max(Math.hypot(...total), 1e-12);
  return Array.from(total, (value) => rounded(value / length, 6));
}

/** The spectrogram as the page paints it: bytes, in at most so many columns. */
function picture(logMel, config, { duration, silent, settings }) {
  const { data, nBins, nFrames } = logMel;
  const nColumns = Math.min(nFrames, settings.picture_columns);
  const edges = Array.from({ length: nColumns + 1 }, (_, i) =>
    Math.floor((i * nFrames) / nColumns),
  );
  const levels = new Uint8Array(nBins * nColumns);
  for (let bin = 0; bin < nBins && !silent; bin++) {
    for (let column = 0; column < nColumns; column++) {
      const [from, to] = [bin * nFrames + edges[column], bin * nFrames + edges[column + 1]];
      let total = 0;
      for (let i = from; i < to; i++) total += data[i];
      const level = (total / (to - from) / config.top_db + 1) * 255 + 0.5;
      levels[bin * nColumns + column] = Math.min(Math.max(level, 0), 255);
    }
  }
  let text = "";
  for (const level of levels) text += String.fromCharCode(level);
  return {
    n_mels: nBins,
    n_frames: nColumns,
    data: btoa(text),
    top_db: config.top_db,
    scale: "mel",
    fmin: config.fmin,
    fmax: config.fmax ?? config.sr / 2,
    duration_s: rounded(duration, 3),
  };
}
