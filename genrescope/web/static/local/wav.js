// Samples as a wav file.

/**
 * A file of 16 bit.
 * @param {Float32Array[]} channels of equal length, -1 to 1
 * @param {number} rate Hz
 * @returns {Uint8Array}
 */
export function wavOf(channels, rate) {
  const { length } = channels[0];
  const frame = channels.length * 2;
  const view = new DataView(new ArrayBuffer(44 + length * frame));
  const word = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, view.byteLength - 8, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * frame, true);
  view.setUint16(32, frame, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, length * frame, true);
  let at = 44;
  for (let i = 0; i < length; i++) {
    for (const channel of channels) {
      view.setInt16(at, Math.max(-1, Math.min(1, channel[i])) * 32767, true);
      at += 2;
    }
  }
  return new Uint8Array(view.buffer);
}
