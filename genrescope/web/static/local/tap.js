// Hands the samples of a microphone on, as they are: it runs where the browser makes sound.

const LENGTH = 4096; // samples handed on at a time

class Tap extends AudioWorkletProcessor {
  constructor() {
    super();
    this.n = 0;
    this.ended = false;
    this.port.onmessage = () => {
      this.ended = true;
      if (this.n) this.hand(this.n);
      this.port.postMessage(null);
    };
  }

  hand(n) {
    const channels = this.channels.map((channel) => channel.slice(0, n));
    this.port.postMessage(
      channels,
      channels.map(({ buffer }) => buffer),
    );
    this.n = 0;
  }

  process([input]) {
    if (this.ended) return false;
    if (!input.length) return true; // nothing is connected yet
    // As many channels as at first, whatever becomes of the microphone.
    this.channels ??= input.map(() => new Float32Array(LENGTH));
    this.channels.forEach((channel, i) => channel.set(input[i] ?? input[0], this.n));
    this.n += input[0].length;
    if (this.n + input[0].length > LENGTH) this.hand(this.n);
    return true;
  }
}

registerProcessor("genrescope-tap", Tap);
