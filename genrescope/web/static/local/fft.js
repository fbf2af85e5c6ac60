// The discrete Fourier transform of real samples, of a power of two of them, and back.

export class Fft {
  /** @param {number} n samples of a frame, a power of two of at least 4 */
  constructor(n) {
    const half = n / 2;
    this.n = n;
    this.a = new Float64Array(half);
    this.b = new Float64Array(half);
    this.cos = Float64Array.from({ length: half }, (_, i) => Math.cos((2 * Math.PI * i) / n));
    this.sin = Float64Array.from({ length: half }, (_, i) => Math.sin((2 * Math.PI * i) / n));
    const bits = Math.log2(half);
    this.reversed = Uint32Array.from({ length: half }, (_, i) => {
      let turned = 0;
      for (let bit = 0; bit < bits; bit++) turned |= ((i >> bit) & 1) << (bits - 1 - bit);
      return turned;
    });
  }

  /** The transform of `a` + i `b`, whose places are already turned, in place. */
  butterflies() {
    const { n, a, b, cos, sin } = this;
    const half = n / 2;
    for (let size = 2; size <= half; size *= 2) {
      const step = n / size;
      const middle = size / 2;
      for (let start = 0; start < half; start += size) {
        for (let k = 0; k < middle; k++) {
          const low = start + k;
          const high = low + middle;
          const c = cos[k * step];
          const s = sin[k * step];
          const re = a[high] * c + b[high] * s;
          const im = b[high] * c - a[high] * s;
          a[high] = a[low] - re;
          b[high] = b[low] - im;
          a[low] += re;
          b[low] += im;
        }
      }
    }
  }

  /** The spectrum of `frame`, (n / 2 + 1,) each, into `re` and `im`. */
  forward(frame, re, im) {
    const { n, a, b, cos, sin, reversed } = this;
    const half = n / 2;
    // Even samples as the real and odd ones as the imaginary part: half the work.
    for (let i = 0; i < half; i++) {
      a[reversed[i]] = frame[2 * i];
      b[reversed[i]] = frame[2 * i + 1];
    }
    this.butterflies();
    [re[0], im[0]] = [a[0] + b[0], 0];
    [re[half], im[half]] = [a[0] - b[0], 0];
    for (let k = 1; k < half; k++) {
      const other = half - k;
      const evenRe = (a[k] + a[other]) / 2;
      const evenIm = (b[k] - b[other]) / 2;
      const oddRe = (b[k] + b[other]) / 2;
      const oddIm = (a[other] - a[k]) / 2;
      re[k] = evenRe + oddRe * cos[k] + oddIm * sin[k];
      im[k] = evenIm + oddIm * cos[k] - oddRe * sin[k];
    }
  }

  /** Squared magnitudes of the spectrum of `frame`, (n / 2 + 1,), into `out`. */
  power(frame, out) {
    this.re ??= new Float64Array(this.n / 2 + 1);
    this.im ??= new Float64Array(this.n / 2 + 1);
    const { re, im } = this;
    this.forward(frame, re, im);
    for (let k = 0; k < re.length; k++) out[k] = re[k] * re[k] + im[k] * im[k];
  }

  /** The frame whose spectrum `re` and `im` are, (n,), into `out`. */
  inverse(re, im, out) {
    const { n, a, b, cos, sin, reversed } = this;
    const half = n / 2;
    for (let k = 0; k < half; k++) {
      const other = half - k;
      const evenRe = (re[k] + re[other]) / 2;
      const evenIm = (im[k] - im[other]) / 2;
      const restRe = (re[k] - re[other]) / 2;
      const restIm = (im[k] + im[other]) / 2;
      const oddRe = restRe * cos[k] - restIm * sin[k];
      const oddIm = restRe * sin[k] + restIm * cos[k];
      // Of its conjugate, so that the same transform does.
      a[reversed[k]] = evenRe - oddIm;
      b[reversed[k]] = -(evenIm + oddRe);
    }
    this.butterflies();
    for (let i = 0; i < half; i++) {
      out[2 * i] = a[i] / half;
      out[2 * i + 1] = -b[i] / half;
    }
  }
}
