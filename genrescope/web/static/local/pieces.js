// A long mp3 or wav file in pieces that can be decoded one after the other, so that never all of its
// sound is in memory: a browser decodes whole files, and holds them twice meanwhile.

import { discard } from "./memory.js";

const PIECE_S = 15;
const LONG_S = 60; // shorter files are decoded whole
const WARM_UP = 10; // mp3 frames decoded before a piece, which what follows refers to
const HEAD = 65_536; // bytes in which a wav file says what it is

const KBIT = {
  1: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};
const HZ = [44_100, 48_000, 32_000];

const word = (bytes, at, n = 4) => String.fromCharCode(...bytes.subarray(at, at + n));

/** What the header of an mp3 frame says; null where there is none. */
function frameAt(bytes, at) {
  const [sync, head, rates, modes] = bytes.subarray(at, at + 4);
  if (sync !== 0xff || (head & 0xe0) !== 0xe0 || ((head >> 1) & 3) !== 1) return null;
  const version = (head >> 3) & 3; // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
  const kbit = KBIT[version === 3 ? 1 : 2][rates >> 4];
  const hz = HZ[(rates >> 2) & 3];
  if (version === 1 || !kbit || !hz) return null;
  const rate = hz / { 3: 1, 2: 2, 0: 4 }[version];
  const nSamples = version === 3 ? 1152 : 576;
  const size = Math.floor((nSamples / 8) * ((kbit * 1000) / rate)) + ((rates >> 1) & 1);
  const mono = modes >> 6 === 3;
  const side = version === 3 ? (mono ? 17 : 32) : mono ? 9 : 17;
  return { rate, nSamples, size, tag: at + 4 + side };
}

/** How many samples at the end are no part of the recording, as the first frame says. */
function paddingOf(bytes, { tag, nSamples }) {
  if (!["Xing", "Info"].includes(word(bytes, tag))) return 0;
  const at = tag + 120 + 22; // behind the encoder's name, delay and padding of 12 bits each
  const padding = ((bytes[at] & 15) << 8) | bytes[at + 1];
  const delay = 529; // of any decoder, which the padding makes up for
  return Math.min(Math.max(0, padding - delay), 2 * nSamples);
}

/** Pieces of an mp3 file; null where it is not what it should be throughout. */
async function mp3Pieces(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let at = 0;
  if (word(bytes, 0, 3) === "ID3") {
    at = 10 + bytes.subarray(6, 10).reduce((size, byte) => (size << 7) | byte, 0);
  }
  const first = frameAt(bytes, at);
  if (!first || word(bytes, at + 36) === "VBRI") return null;
  const { rate, nSamples } = first;
  const starts = [];
  let frame = first;
  while (frame && at + frame.size <= bytes.length) {
    if (frame.rate !== rate || frame.nSamples !== nSamples) return null;
    starts.push(at);
    at += frame.size;
    frame = frameAt(bytes, at);
  }
  const isTag = ["TAG", "APETAGEX", "LYRICSBEGIN"].some((tag) => word(bytes, at, tag.length) === tag);
  const isCut = frame && at + frame.size > bytes.length;
  if (at < bytes.length && !isTag && !isCut) return null;
  starts.push(at);
  const n = Math.ceil((PIECE_S * rate) / nSamples);
  const nFrames = starts.length - 1;
  if (nFrames * nSamples < LONG_S * rate) return null;
  const padding = paddingOf(bytes, first);
  const pieces = [];
  for (let from = 0; from < nFrames; from += n) {
    const to = Math.min(from + n, nFrames);
    const before = Math.min(from, WARM_UP);
    pieces.push({
      file: blob.slice(starts[from - before], starts[to]),
      skip: before * nSamples,
      // The first piece begins where the encoder says.
      length: from ? (to - from + before) * nSamples : null,
      drop: to === nFrames ? padding : 0,
    });
  }
  discard(bytes);
  return { rate, pieces };
}

const PLAIN = [1, 3, 0xfffe]; // whole numbers, floats, either of them at length

/** Pieces of a wav file; null of one that holds something else than samples. */
async function wavPieces(blob) {
  const head = new Uint8Array(await blob.slice(0, HEAD).arrayBuffer());
  const view = new DataView(head.buffer);
  let format = null;
  for (let at = 12; at + 24 <= head.length; ) {
    const [name, size] = [word(head, at), view.getUint32(at + 4, true)];
    at += 8;
    if (name === "fmt ") {
      const [kind, frame] = [view.getUint16(at, true), view.getUint16(at + 12, true)];
      format = { kind, frame, rate: view.getUint32(at + 4, true) };
    }
    if (name === "data") return format && cut(blob, head.slice(0, at), { ...format, at, size });
    at += size + (size % 2);
  }
  return null;
}

function cut(blob, head, { kind, frame, rate, at, size }) {
  const nSamples = Math.floor(Math.min(size, blob.size - at) / frame);
  const n = PIECE_S * rate;
  if (!PLAIN.includes(kind) || !frame || !(nSamples >= LONG_S * rate)) return null;
  const pieces = [];
  for (let from = 0; from < nSamples; from += n) {
    const length = Math.min(n, nSamples - from);
    const bytes = length * frame;
    const front = head.slice();
    const view = new DataView(front.buffer);
    view.setUint32(4, front.length - 8 + bytes, true);
    view.setUint32(front.length - 4, bytes, true);
    const start = at + from * frame;
    const file = new Blob([front, blob.slice(start, start + bytes)]);
    pieces.push({ file, skip: 0, length, drop: 0 });
  }
  return { rate, pieces };
}

/**
 * A file in pieces: { rate, pieces }, each piece { file, skip, length, drop }: a file of its own, of
 * which so many samples at the beginning and at the end are not wanted, and how many it decodes to
 * if all is well (null: as many as there are). Null where the file is short or of another kind.
 * @param {Blob} blob
 */
export async function piecesOf(blob) {
  const start = new Uint8Array(await blob.slice(0, 12).arrayBuffer());
  if (word(start, 0) === "RIFF") return wavPieces(blob);
  if (word(start, 0, 3) !== "ID3" && !frameAt(start, 0)) return null;
  return mp3Pieces(blob);
}
