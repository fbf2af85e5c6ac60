// Tempo and key, by the small nets beside a bundle's own: what `genrescope.model.heads`, `tempo` and
// `key` do.

import { chroma } from "./chroma.js";
import { spread, standardise } from "./clip.js";
import { inTurn, open } from "./net.js";
import { argmax, mean, rint, rounded, sum } from "./numbers.js";
import { softmax } from "./predict.js";
import { tempogram, timbre } from "./rhythm.js";

/** A clip in dB, standardised, in sections of half a minute or a bit more. */
function sections(logMel, { frameRate }, { section_s }) {
  const { data, nBins, nFrames } = standardise(logMel);
  const long = rint(section_s * frameRate);
  const { starts, length } = spread(nFrames, { windowLength: long, hopLength: long });
  const n = Math.min(length, nFrames);
  return starts.map((start) => {
    const part = new Float32Array(nBins * n);
    for (let bin = 0; bin < nBins; bin++) {
      part.set(data.subarray(bin * nFrames + start, bin * nFrames + start + n), bin * n);
    }
    return { data: part, nBins, nFrames: n };
  });
}

const tempoInputs = (part, { frameRate }, { rhythm }) => {
  const channels = 2 * (rhythm.n_bands + 1);
  const width = rhythm.n_tempi + 2 * rhythm.margin;
  return {
    tempogram: [tempogram(part, frameRate, rhythm), [1, channels, width]],
    timbre: [timbre(part, rhythm), [1, 3 * rhythm.n_timbre_bands]],
  };
};

// Bundles of earlier versions take chroma.
const keyInputs = (part, { features }, settings, names) => {
  if (names.includes("log_mel")) return { log_mel: [part.data, [1, part.nBins, part.nFrames]] };
  const { data, nBlocks } = chroma(part, features, settings.chroma);
  return { chroma: [data, [1, 2 * settings.chroma.n_octaves, 12, nBlocks]] };
};

/** A head as a function of a clip's sections: the mean of its probabilities. */
async function headOf(ort, model, inputsOf) {
  const session = await open(ort, model);
  const run = inTurn(async (inputs) => {
    const tensors = Object.fromEntries(
      Object.entries(inputs).map(([name, [data, shape]]) => [
        name,
        new ort.Tensor("float32", data, shape),
      ]),
    );
    const { logits } = await session.run(tensors, ["logits"]);
    const taken = Array.from(logits.data);
    for (const tensor of [...Object.values(tensors), logits]) tensor.dispose();
    return softmax(taken, taken.length, 1)[0];
  });
  return async (parts, bundle, settings) => {
    const rows = [];
    for (const part of parts) {
      rows.push(await run(inputsOf(part, bundle, settings, session.inputNames)));
    }
    return rows[0].map((_, i) => mean(rows.map((row) => row[i])));
  };
}

/** The tempo that the probabilities speak for: { bpm, confidence, other, pulse }. */
export function readTempo(probs, { rhythm, tempo: { tolerance, factors, around } }) {
  const { lowest_bpm, bins_per_octave } = rhythm;
  const bins = probs.map((_, i) => lowest_bpm * 2 ** (i / bins_per_octave));
  const same = (bin, bpm) => Math.abs(bin / bpm - 1) <= tolerance;
  const peak = (weights) => {
    const best = argmax(weights);
    const from = Math.max(best - around, 0);
    const near = weights.slice(from, best + around + 1);
    return Math.exp(sum(near.map((w, i) => w * Math.log(bins[from + i]))) / sum(near));
  };
  const bpm = peak(probs);
  const rest = probs.map((p, i) => (same(bins[i], bpm) ? 0 : p));
  const within = (chosen) => sum(probs.filter((_, i) => chosen(bins[i])));
  return {
    bpm,
    confidence: within((bin) => same(bin, bpm)),
    other: sum(rest) > 1e-6 ? peak(rest) : null,
    pulse: within((bin) => factors.some((factor) => same(bin, bpm * factor))),
  };
}

/**
 * What hears a clip's tempo and key: a function of its log-mel, with its silences, that resolves to
 * { tempo, key, lacksBeat } as answers have them; null where the bundle has no head for it.
 * @param {object} ort the module onnxruntime-web
 * @param {{tempo: ?Uint8Array, key: ?Uint8Array}} models
 */
export async function createHeads(ort, models, bundle, settings) {
  const [tempoHead, keyHead] = await Promise.all([
    models.tempo && headOf(ort, models.tempo, tempoInputs),
    models.key && headOf(ort, models.key, keyInputs),
  ]);
  return async (logMel) => {
    if (!tempoHead && !keyHead) return { tempo: null, key: null, lacksBeat: false };
    const parts = sections(logMel, bundle, settings.rhythm);
    let [tempo, key, lacksBeat] = [null, null, false];
    if (tempoHead) {
      const { pulse, bpm, confidence, other } = readTempo(
        await tempoHead(parts, bundle, settings),
        settings,
      );
      lacksBeat = pulse < (bundle.thresholds.beat ?? 0);
      tempo = {
        bpm: rounded(bpm, 1),
        confidence: rounded(confidence, 6),
        other: other === null ? null : rounded(other, 1),
      };
    }
    if (keyHead) {
      const probs = await keyHead(parts, bundle, settings);
      const best = argmax(probs);
      const { name, camelot } = settings.keys[best];
      key = { name, camelot, confidence: rounded(probs[best], 6) };
    }
    return { tempo, key, lacksBeat };
  };
}
