// Where the beats lie in a recording whose tempo is known about.

const CELL_S = 0.01;
const QUIETEST = 1e-4; // of the loudest cell's power
const NEAR = 0.03; // how far the tempo may be from what was told, as a share
const N_TEMPI = 121;
const SMOOTH = [1, 2, 3, 2, 1]; // over neighbouring cells: people do not play to the hundredth

/** How much begins in each hundredth of a second of a channel that comes piece by piece. */
export class Onsets {
  /** @param {number} rate Hz */
  constructor(rate) {
    this.length = rate * CELL_S;
    [this.all, this.bright] = [[], []]; // of the cells that are complete
    Object.assign(this, { n: 0, before: 0, power: 0, change: 0 });
  }

  /** @param {Float32Array} samples */
  push(samples) {
    let { n, before, power, change } = this;
    let end = this.#end();
    for (let i = 0; i < samples.length; i++) {
      const x = samples[i];
      if (n) {
        power += x ** 2; // drums and bass above all
        change += (x - before) ** 2;
      }
      before = x;
      if (++n < end) continue;
      this.all.push(power);
      this.bright.push(change);
      [power, change] = [0, 0];
      end = this.#end();
    }
    Object.assign(this, { n, before, power, change });
  }

  /** The sample that the cell under way ends before. */
  #end() {
    return Math.floor((this.all.length + 1) * this.length);
  }

  /** Float32Array (n_cells,). */
  finish() {
    const [low, high] = [this.all, this.bright].map((power) => rises(Float32Array.from(power)));
    return low.map((rise, cell) => rise + high[cell]);
  }
}

/** How far each cell's level is above the one before, on a logarithmic scale. */
function rises(power) {
  const least = QUIETEST * power.reduce((a, b) => Math.max(a, b), 1e-12);
  const levels = power.map((x) => Math.log(1 + x / least));
  return levels.map((level, cell) => Math.max(0, level - levels[Math.max(0, cell - 1)]));
}

/**
 * The steady pulse that most onsets fall on: { period, first }, s.
 * @param {Float32Array} onsets see `Onsets`
 * @param {number} bpm the tempo, as it was told
 */
export function pulseOf(onsets, bpm) {
  let best = { height: -1 };
  for (let i = 0; i < N_TEMPI; i++) {
    const period = 60 / bpm / (1 + NEAR * ((2 * i) / (N_TEMPI - 1) - 1));
    const folded = foldedAt(onsets, period);
    const at = folded.indexOf(Math.max(...folded));
    if (folded[at] > best.height) best = { height: folded[at], period, at: at / folded.length };
  }
  return { period: best.period, first: best.at * best.period };
}

/** The onsets of all beats laid over each other, smoothed, by the place in the beat. */
function foldedAt(onsets, period) {
  const n = Math.round(period / CELL_S);
  const sums = new Float32Array(n);
  onsets.forEach((onset, cell) => {
    const turn = ((cell + 0.5) * CELL_S) / period;
    sums[Math.round((turn % 1) * n) % n] += onset;
  });
  return SMOOTH.reduce(
    (total, weight, k) => total.map((x, i) => x + weight * sums[(i + k - 2 + n) % n]),
    new Float32Array(n),
  );
}
