// The sample rate that a sound file says it has; decoding at another one would change it.

const USUAL_HZ = 48_000; // of Opus, and of what says nothing

const MPEG_HZ = [44_100, 48_000, 32_000];

/** Whether `text` stands at `at`. */
const stands = (bytes, at, text) => [...text].every((c, i) => bytes[at + i] === c.charCodeAt(0));

/** Where `text` stands between two places, or -1. */
function find(bytes, text, from, to) {
  for (let at = from; at < Math.min(to, bytes.length - text.length); at++) {
    if (stands(bytes, at, text)) return at;
  }
  return -1;
}

/** Chunks of a RIFF or AIFF file: [name, start] each. */
function* chunks(view, little) {
  const name = (at) => String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
  for (let at = 12; at + 8 <= view.byteLength; ) {
    yield [name(at), at + 8];
    const size = view.getUint32(at + 4, little);
    at += 8 + size + (size % 2);
  }
}

function riffRate(view) {
  for (const [name, at] of chunks(view, true)) {
    if (name === "fmt " && at + 8 <= view.byteLength) return view.getUint32(at + 4, true);
  }
  return 0;
}

function aiffRate(view) {
  for (const [name, at] of chunks(view, false)) {
    if (name !== "COMM" || at + 18 > view.byteLength) continue;
    // A number of 80 bits; rates are whole.
    return Math.round(view.getUint32(at + 10) * 2 ** (view.getUint16(at + 8) - 16383 - 31));
  }
  return 0;
}

/** Of the first frame of MPEG audio, behind the tag that begins at 0 if there is one. */
function mpegRate(bytes) {
  let at = 0;
  if (stands(bytes, 0, "ID3")) {
    at = 10 + bytes.slice(6, 10).reduce((size, byte) => (size << 7) | byte, 0);
  }
  for (const end = Math.min(at + 65_536, bytes.length - 4); at < end; at++) {
    const [sync, head, rate] = [bytes[at], bytes[at + 1], (bytes[at + 2] >> 2) & 3];
    const [version, layer] = [(head >> 3) & 3, (head >> 1) & 3];
    if (sync !== 0xff || (head & 0xe0) !== 0xe0 || version === 1 || rate === 3) continue;
    if (layer === 0) continue; // AAC in frames of its own, or chance
    return MPEG_HZ[rate] / { 3: 1, 2: 2, 0: 4 }[version];
  }
  return 0;
}

const AAC_HZ = [96, 88.2, 64, 48, 44.1, 32, 24, 22.05, 16, 12, 11.025, 8, 7.35].map((k) => k * 1000);

/** Of the sound in an MP4 file, by its description. */
function mp4Rate(bytes, view) {
  const at = ["mp4a", "Opus", "fLaC", "alac"]
    .map((name) => find(bytes, name, 8, bytes.length))
    .filter((place) => place > 0)
    .sort((a, b) => a - b)[0];
  return at && at + 30 < bytes.length ? view.getUint16(at + 28) : 0;
}

/** Of the sound in a WebM or Matroska file: Opus is at 48 kHz, all else says it in four bytes or eight. */
function webmRate(bytes, view) {
  if (find(bytes, "A_OPUS", 0, 8192) >= 0) return USUAL_HZ;
  for (let at = 0; at < Math.min(8192, bytes.length - 10); at++) {
    if (bytes[at] !== 0xb5) continue; // SamplingFrequency
    const hz = { 0x84: () => view.getFloat32(at + 2), 0x88: () => view.getFloat64(at + 2) };
    const rate = hz[bytes[at + 1]]?.();
    if (rate >= 3000 && rate <= 768_000) return Math.round(rate);
  }
  return 0;
}

/**
 * Sample rate in Hz of the sound in a file.
 * @param {Uint8Array} bytes the whole file
 */
export function rateOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64) return USUAL_HZ;
  if (stands(bytes, 0, "RIFF") || stands(bytes, 0, "RF64")) return riffRate(view) || USUAL_HZ;
  if (stands(bytes, 0, "FORM")) return aiffRate(view) || USUAL_HZ;
  if (stands(bytes, 0, "fLaC")) return view.getUint32(18) >>> 12 || USUAL_HZ;
  if (stands(bytes, 0, "OggS")) {
    const vorbis = find(bytes, "\x01vorbis", 0, 4096);
    if (vorbis >= 0) return view.getUint32(vorbis + 12, true) || USUAL_HZ;
    const flac = find(bytes, "fLaC", 0, 4096);
    return flac >= 0 ? view.getUint32(flac + 18) >>> 12 || USUAL_HZ : USUAL_HZ;
  }
  if (stands(bytes, 4, "ftyp")) return mp4Rate(bytes, view) || USUAL_HZ;
  if (view.getUint32(0) === 0x1a45dfa3) return webmRate(bytes, view) || USUAL_HZ;
  if (bytes[0] === 0xff && (bytes[1] & 0xf6) === 0xf0) {
    return AAC_HZ[(bytes[2] >> 2) & 15] ?? USUAL_HZ; // ADTS
  }
  return mpegRate(bytes) || USUAL_HZ;
}
