// The tracks of a bundle's catalogue that sound most like a recording.

import { readNpz } from "./npz.js";
import { argsortDown } from "./numbers.js";

/** The query of a web search for a track. */
const queryOf = (artist, title) =>
  encodeURIComponent(`${artist} ${title}`.trim())
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");

export class Catalogue {
  /** @param {Uint8Array | null} bytes of `catalogue.npz`; null of a bundle without one */
  static async read(bytes, settings) {
    const arrays = bytes ? await readNpz(bytes) : null;
    return Object.assign(new Catalogue(), {
      n: arrays?.embedding.shape[0] ?? 0,
      d: arrays?.embedding.shape[1] ?? 0,
      arrays,
      searchUrl: settings.search_url,
    });
  }

  /** At most `n` tracks, the most similar first, at most one an artist, all with a name. */
  nearest(embedding, n) {
    const { arrays, d } = this;
    if (!this.n || !embedding.some((value) => value)) return [];
    const length = Math.hypot(...embedding);
    const similarity = Float64Array.from({ length: this.n }, (_, row) => {
      let [product, own] = [0, 0];
      for (let i = 0; i < d; i++) {
        const value = arrays.embedding.values[row * d + i];
        product += value * embedding[i];
        own += value * value;
      }
      return product / length / Math.max(Math.sqrt(own), 1e-12);
    });
    const matches = [];
    const seen = new Set();
    for (const i of argsortDown(similarity)) {
      if (matches.length >= n) break;
      const [artist, title] = [arrays.artist, arrays.title].map(({ values }) => values[i].trim());
      // By title of those without an artist.
      const name = artist ? `by ${artist.toLowerCase()}` : `of ${title.toLowerCase()}`;
      if (!(artist || title) || seen.has(name)) continue;
      seen.add(name);
      matches.push({
        track_id: arrays.track.values[i],
        artist: artist || null,
        title: title || null,
        genre: arrays.genre.values[i],
        similarity: Math.min(Math.max(similarity[i], -1), 1),
        search_url: this.searchUrl + queryOf(artist, title),
      });
    }
    return matches;
  }
}
