// Files whose weights were halved on their way here, made whole: what `genrescope.web.halved` undoes.

/** A number of 16 bits (IEEE 754) as they lie in a file. */
export function half(bits) {
  const [sign, exponent, part] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * part * 2 ** -24;
  return sign * (1 + part / 1024) * 2 ** (exponent - 15);
}

/**
 * The whole file.
 * @param {Uint8Array} bytes of the halved one
 * @param {number[][]} stretches where in the whole file weights of 32 bits lie: [from, to]
 */
export function whole(bytes, stretches) {
  const numbers = Float32Array.from({ length: 2 ** 16 }, (_, bits) => half(bits));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const saved = stretches.reduce((total, [from, to]) => total + (to - from) / 2, 0);
  const out = new Uint8Array(bytes.length + saved);
  const written = new DataView(out.buffer);
  let [at, read] = [0, 0];
  for (const [from, to] of [...stretches, [out.length, out.length]]) {
    out.set(bytes.subarray(read, read + from - at), at);
    read += from - at;
    for (at = from; at < to; at += 4, read += 2) {
      written.setFloat32(at, numbers[view.getUint16(read, true)], true);
    }
  }
  return out;
}
