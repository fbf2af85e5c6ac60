// A recording made ready for replay: a Blob every browser can seek in, its peaks, its duration.

const MAX_DECODED_S = 300; // longer files would take much memory for a picture
const PEAKS = 480;

/**
 * @param {Blob} blob the recording
 * @param {object} options `seconds`: its length as the server measured it; `rewrap`: make it a wav
 *   (a recorded webm has neither a duration nor an index, so that one could not seek in it)
 * @returns {Promise<{blob: Blob, peaks: Float32Array | null}>}
 */
export async function prepareSound(blob, { seconds, rewrap = false }) {
  if (seconds > MAX_DECODED_S) return { blob, peaks: null };
  let decoded;
  try {
    const context = new OfflineAudioContext(1, 1, 48000);
    decoded = await context.decodeAudioData(await blob.arrayBuffer());
  } catch {
    return { blob, peaks: null };
  }
  return { blob: rewrap ? wav(decoded) : blob, peaks: peaksOf(decoded) };
}

function peaksOf(decoded) {
  const samples = decoded.getChannelData(0);
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

/** A 16-bit wav of an AudioBuffer. */
function wav(decoded) {
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, i) =>
    decoded.getChannelData(i),
  );
  const frame = channels.length * 2;
  const view = new DataView(new ArrayBuffer(44 + decoded.length * frame));
  const word = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, view.byteLength - 8, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, decoded.sampleRate, true);
  view.setUint32(28, decoded.sampleRate * frame, true);
  view.setUint16(32, frame, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, decoded.length * frame, true);
  let at = 44;
  for (let i = 0; i < decoded.length; i++) {
    for (const channel of channels) {
      view.setInt16(at, Math.max(-1, Math.min(1, channel[i])) * 32767, true);
      at += 2;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
