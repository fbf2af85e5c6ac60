// A sound file to samples, by the browser's own decoders, at the file's own rate.

import { ApiError } from "../faults.js";
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

/**
 * The AudioBuffer of a file.
 * @param {number} maxS the longest that is decoded, since it is held in memory whole
 * @throws {ApiError} it is too long, empty, or no sound that this browser knows
 */
export async function decode(blob, { maxS }) {
  if (!blob.size) throw new ApiError(0, { code: "empty_file" });
  const said = await saidLength(blob);
  if (said > maxS && said < Infinity) throw new ApiError(0, TOO_LONG);
  let bytes;
  try {
    bytes = await blob.arrayBuffer();
  } catch {
    throw new ApiError(0, { code: "unreadable" });
  }
  let decoded;
  try {
    decoded = await contextAt(rateOf(new Uint8Array(bytes))).decodeAudioData(bytes);
  } catch {
    throw new ApiError(0, { code: "unusable_audio" });
  }
  if (decoded.duration > maxS) throw new ApiError(0, TOO_LONG);
  return decoded;
}

function contextAt(rate) {
  try {
    return new OfflineAudioContext(1, 1, rate);
  } catch {
    return new OfflineAudioContext(1, 1, 48_000); // a rate that this browser does not take
  }
}
