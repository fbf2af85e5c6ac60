// A recording made ready for replay: a Blob every browser can seek in, its peaks, its onsets.

import { decode } from "./local/decode.js";
import { discard, joined } from "./local/memory.js";
import { Onsets } from "./local/pulse.js";
import { wavOf } from "./local/wav.js";

const MAX_DECODED_S = 300; // longer files would take long for a picture
const PEAKS = 480;

/**
 * @param {Blob} blob the recording
 * @param {object} options `seconds`: its length as the server measured it; `rewrap`: make it a wav
 *   (a recorded webm has neither a duration nor an index, so that one could not seek in it)
 * @returns {Promise<{blob: Blob, peaks: Float32Array | null, onsets: Float32Array | null}>} `onsets` as
 *   `local/pulse.js` finds them
 */
export async function prepareSound(blob, { seconds, rewrap = false }) {
  const unseen = { blob, peaks: null, onsets: null };
  if (seconds > MAX_DECODED_S) return unseen;
  const again = () => new Look(seconds, rewrap);
  let look = again();
  try {
    // A little longer than was measured, as decoders may have it.
    const maxS = MAX_DECODED_S + 1;
    await decode(blob, { maxS, take: (part) => look.take(part), again: () => (look = again()) });
  } catch {
    return unseen;
  }
  return { blob: rewrap ? look.wav() : blob, peaks: look.peaks, onsets: look.onsets.finish() };
}

/** What is seen of a sound that comes piece by piece; all of it is kept if it is to be a wav. */
class Look {
  constructor(seconds, keep) {
    Object.assign(this, { seconds, kept: keep ? [] : null, peaks: new Float32Array(PEAKS), n: 0 });
  }

  take({ rate, channels }) {
    this.rate = rate;
    this.onsets ??= new Onsets(rate);
    this.kept?.push(channels);
    const [samples] = channels;
    this.onsets.push(samples);
    const width = (this.seconds * rate) / PEAKS;
    for (let i = 0; i < samples.length; i++) {
      const at = Math.min(PEAKS - 1, Math.floor((this.n + i) / width));
      this.peaks[at] = Math.max(this.peaks[at], Math.abs(samples[i]));
    }
    this.n += samples.length;
    if (!this.kept) channels.forEach(discard);
  }

  wav() {
    const channels = this.kept[0].map((_, i) => joined(this.kept.map((part) => part[i])));
    return new Blob([wavOf(channels, this.rate)], { type: "audio/wav" });
  }
}
