// Where a recording is silent, as its picture shows: the judgement leaves that out, and so does
// the timeline. The same rule as the server's: half a second or more, 55 dB below the loudest.

const SILENT_DB = 55;
const SHORTEST_S = 0.5;

/** The silences of an answer's `spectrogram` over `duration` seconds, as { start, end }. */
export function silences({ n_mels, n_frames, data, top_db }, duration) {
  const levels = atob(data);
  const least = 255 * (1 - SILENT_DB / top_db);
  const sounds = new Array(n_frames).fill(false);
  for (let i = 0; i < n_mels * n_frames; i++) {
    if (levels.charCodeAt(i) >= least) sounds[i % n_frames] = true;
  }
  const found = [];
  let start = 0;
  for (let frame = 0; frame <= n_frames; frame++) {
    if (frame < n_frames && !sounds[frame]) continue;
    const [from, to] = [start, frame].map((n) => (n / n_frames) * duration);
    if (to - from >= SHORTEST_S) found.push({ start: from, end: to });
    start = frame + 1;
  }
  return found;
}

/** `segments` without the time that `gaps` take. */
export function without(segments, gaps) {
  return segments.flatMap((segment) => {
    const parts = [];
    let at = segment.start;
    for (const gap of gaps) {
      if (gap.end <= at || gap.start >= segment.end) continue;
      if (gap.start > at) parts.push({ ...segment, start: at, end: gap.start });
      at = gap.end;
    }
    if (at < segment.end) parts.push({ ...segment, start: at });
    return parts;
  });
}

/** An answer whose timeline is of what sounds. */
export function audible(answer) {
  const { timeline, spectrogram, duration_s: duration } = answer;
  if (!spectrogram || answer.genre === null) return answer;
  return { ...answer, timeline: without(timeline, silences(spectrogram, duration)) };
}
