// A bundle, read and checked: its settings come from its own files and from nowhere else.

import { whole } from "./halved.js";
import { rint } from "./numbers.js";

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** A file that is what its SHA-256 says; an Error if it is another. */
export async function fetchChecked(url, sha256) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} is not there (${answer.status})`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const found = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  if (found !== sha256) throw new Error(`${url} is not the file that was published`);
  return bytes;
}

/** What `bundle.json` says, with what follows from it. */
export function describeBundle(payload) {
  const frameRate = payload.features.sr / payload.features.hop_length;
  return {
    ...payload,
    frameRate,
    windowLength: rint(payload.window_s * frameRate),
    hopLength: rint(payload.hop_s * frameRate),
  };
}

/**
 * Reads a bundle.
 * @param {string} root address that the files' paths begin from
 * @param {Object<string, {path, sha256, stretches}>} files where each of its files is published
 * @returns {Promise<{bundle: object, read: function(string): Promise<?Uint8Array>}>} `read` fetches
 *   another of its files, its weights made whole; null where the bundle has none of that name
 */
export async function loadBundle(root, files) {
  const read = async (name) => {
    if (!files[name]) return null;
    const { path, sha256, stretches } = files[name];
    const bytes = await fetchChecked(root + path, sha256);
    return stretches.length ? whole(bytes, stretches) : bytes;
  };
  const text = new TextDecoder().decode(await read("bundle.json"));
  return { bundle: describeBundle(JSON.parse(text)), read };
}
