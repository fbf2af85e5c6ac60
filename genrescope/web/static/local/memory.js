// Memory that is not to wait until the browser next tidies up, and arrays that come in parts.

/** Frees an array's memory now, where the browser can (Chromium 114, Firefox 122, Safari 17.4). */
export const free = ({ buffer }) => buffer.transfer?.(0);

/**
 * The same of memory that the browser itself has filled: what it decoded or read, or what another
 * thread handed over. Chromium would hold that all the same, and forget to tidy it up.
 */
export function discard({ buffer }) {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(null, [buffer]); // to nobody
  port1.close();
  port2.close();
}

/** Arrays one behind the other. */
export function joined(parts) {
  const whole = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
