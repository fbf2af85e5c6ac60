// A sound file to samples, by the browser's own decoders, at the file's own rate, long ones a piece at
// a time where they can be taken apart.

import { ApiError } from "../faults.js";
import { piecesOf } from "./pieces.js";
import { rateOf } from "./rate.js";

const TOO_LONG = { code: "too_long" };

/** Length in s as the file says it, without decoding it; NaN where it says none. */
function saidLength(blob) {
  const url = URL.createObjectURL(blob);
  const audio = new Audio();
  audio.preload = "metadata";
  return new Promise((resolve) => {
    audio.onloadedmetadata = () => resolve(audio.duration);
    audio.onerror = () => resolve(NaN);
    audio.src = url;
  }).finally(() => {
    audio.removeAttribute("src");
    URL.revokeObjectURL(url);
  });
}

/** A piece that decodes to another length than its frames have. */
class UnevenError extends Error {}

/**
 * Sound of a file, a stretch at a time: { rate, channels }, float32 samples of each channel.
 * @param {Blob} blob
 * @param {number} maxS the longest that is decoded; what cannot be taken apart is in memory whole
 * @param {function} take called with each stretch in turn, and waited for
 * @param {function} again called before the first one comes once more, because a file that looked
 *   as if it could be taken apart cannot
 * @throws {ApiError} it is too long, empty, or no sound that this browser knows
 */
export async function decode(blob, { maxS, take, again }) {
  if (!blob.size) throw new ApiError(0, { code: "empty_file" });
  const said = await saidLength(blob);
  if (said > maxS && said < Infinity) throw new ApiError(0, TOO_LONG);
  const apart = await readable(piecesOf(blob));
  if (apart) {
    try {
      return await decodePieces(apart, { maxS, take });
    } catch (error) {
      if (!(error instanceof UnevenError)) throw error;
      await again();
    }
  }
  const bytes = await readable(blob.arrayBuffer());
  const decoded = await decodeFile(bytes, rateOf(new Uint8Array(bytes)));
  if (decoded.duration > maxS) throw new ApiError(0, TOO_LONG);
  await take(stretch(decoded, 0, decoded.length));
}

async function readable(reading) {
  try {
    return await reading;
  } catch {
    throw new ApiError(0, { code: "unreadable" });
  }
}

async function decodePieces({ rate, pieces }, { maxS, take }) {
  let seconds = 0;
  let channels = 0;
  for (const { file, skip, length, drop } of pieces) {
    const decoded = await decodeFile(await readable(file.arrayBuffer()), rate);
    channels ||= decoded.numberOfChannels;
    const even = decoded.numberOfChannels === channels && decoded.sampleRate === rate;
    if (!even || (length !== null && decoded.length !== length)) throw new UnevenError();
    seconds += (decoded.length - skip - drop) / rate;
    if (seconds > maxS) throw new ApiError(0, TOO_LONG);
    await take(stretch(decoded, skip, decoded.length - drop));
  }
}

async function decodeFile(bytes, rate) {
  try {
    return await contextAt(rate).decodeAudioData(bytes);
  } catch {
    throw new ApiError(0, { code: "unusable_audio" });
  }
}

const stretch = (decoded, from, to) => ({
  rate: decoded.sampleRate,
  channels: Array.from({ length: decoded.numberOfChannels }, (_, i) =>
    decoded.getChannelData(i).subarray(from, to),
  ),
});

function contextAt(rate) {
  try {
    return new OfflineAudioContext(1, 1, rate);
  } catch {
    return new OfflineAudioContext(1, 1, 48_000); // a rate that this browser does not take
  }
}
