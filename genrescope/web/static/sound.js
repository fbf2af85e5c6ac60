// A recording made ready for replay: a Blob every browser can seek in, its peaks, its onsets.

import { onsetsOf } from "./local/pulse.js";
import { wavOf } from "./local/wav.js";

const MAX_DECODED_S = 300; // longer files would take much memory for a picture
const PEAKS = 480;

/**
 * @param {Blob} blob the recording
 * @param {object} options `seconds`: its length as the server measured it; `rewrap`: make it a wav
 *   (a recorded webm has neither a duration nor an index, so that one could not seek in it)
 * @returns {Promise<{blob: Blob, peaks: Float32Array | null, onsets: Float32Array | null}>} `onsets` as
 *   `local/pulse.js` finds them
 */
export async function prepareSound(blob, { seconds, rewrap = false }) {
  if (seconds > MAX_DECODED_S) return { blob, peaks: null, onsets: null };
  let decoded;
  try {
    const context = new OfflineAudioContext(1, 1, 48000);
    decoded = await context.decodeAudioData(await blob.arrayBuffer());
  } catch {
    return { blob, peaks: null, onsets: null };
  }
  const samples = decoded.getChannelData(0);
  const onsets = onsetsOf(samples, decoded.sampleRate);
  return { blob: rewrap ? wav(decoded) : blob, peaks: peaksOf(samples), onsets };
}

function peaksOf(samples) {
  const peaks = new Float32Array(PEAKS);
  const width = samples.length / PEAKS;
  for (let i = 0; i < PEAKS; i++) {
    const end = Math.floor((i + 1) * width);
    for (let k = Math.floor(i * width); k < end; k++) {
      peaks[i] = Math.max(peaks[i], Math.abs(samples[k]));
    }
  }
  return peaks;
}

function wav(decoded) {
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, i) =>
    decoded.getChannelData(i),
  );
  return new Blob([wavOf(channels, decoded.sampleRate)], { type: "audio/wav" });
}
