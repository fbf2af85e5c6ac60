// What the page says.

const NAMES = { hiphop: "Hip hop" };

export const genreName = (label) => NAMES[label] ?? label.charAt(0).toUpperCase() + label.slice(1);

export const percent = (p) => {
  const value = p * 100;
  if (value > 99.9) return ">\u00a099.9\u00a0%";
  if (value < 0.1) return "<\u00a00.1\u00a0%";
  return `${value.toFixed(1)}\u00a0%`;
};

export const clock = (seconds) => {
  const whole = Math.floor(Number.isFinite(seconds) ? seconds : 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

/** A size, rounded up to a tenth, so that what is over a limit reads so. */
export const megabytes = (bytes) => `${Math.ceil((bytes / 2 ** 20) * 10) / 10} MB`;

/** How sure the model is, as a sentence. `ranking` is [label, probability], best first. */
export function confidence(ranking, flags) {
  const [[first, p], [second, q]] = ranking;
  const runnerUp = `${genreName(second)} comes next with ${percent(q)}.`;
  if (flags.includes("no music")) {
    return `This does not sound like music, so the genre means little: ${percent(p)}.`;
  }
  if (flags.includes("uncertain")) {
    return `It is not sure: ${percent(p)}. It may as well be ${genreName(second)} (${percent(q)}), or something it has never learned, or no music at all.`;
  }
  if (p >= 0.9) return `It has hardly a doubt: ${percent(p)}.`;
  if (p >= 0.7) return `It is quite sure: ${percent(p)}. ${runnerUp}`;
  if (p >= 0.5) return `Rather likely: ${percent(p)}. ${runnerUp}`;
  return `A cautious guess: ${percent(p)} for ${genreName(first)}. ${runnerUp}`;
}

/** The genres it may well be, as a sentence; none where there is one alone, or nothing to tell. */
export function others(genres, flags) {
  if (genres.length < 2 || genres.length > 4 || flags.includes("no music")) return "";
  const names = genres.map(genreName);
  return `Nine times in ten it is one of these: ${names.slice(0, -1).join(", ")} or ${names.at(-1)}.`;
}

export const FLAGS = {
  silent: "The recording is silent, so there is nothing to name.",
  short: "This was very short; with ten seconds or more it hears much better.",
  truncated: "Part of the file was damaged; what could be read was used.",
};

/** A loudness as musicians write it. */
export const lufs = (value) => `${String(value).replace("-", "−")} LUFS`;

/** The bundle's own accuracy as a sentence, or none when it carries no figure. */
export function honesty({ metrics, labels }) {
  const knows = `It knows ${labels.length} genres and names one of them whatever it hears.`;
  const tracks = metrics.filter((m) => m.protocol === "fault-filtered" && m.level === "track");
  const metric = tracks.find((m) => m.part === "test") ?? tracks[0];
  if (!metric) return knows;
  const [right, low, high] = [metric.accuracy, metric.low, metric.high].map(tenth);
  return `How honest is the number? Trained without ${metric.n} tracks by other artists, it named the right genre of ${right} % of them (95 % interval ${low} to ${high}). ${knows}`;
}

const tenth = (p) => (p * 100).toFixed(1);

/** Why the microphone cannot be used, and what to do. */
export function microphoneTrouble(error) {
  const file = "Or choose a file instead: that works without a microphone.";
  switch (error.name) {
    case "InsecureContext":
      return [
        "This address cannot use the microphone",
        `Browsers let a page listen only over https, or on localhost. Open this page at such an address. ${file}`,
      ];
    case "NotAllowedError":
    case "SecurityError":
      return [
        "The microphone was not allowed",
        `Allow it in the browser’s address bar or site settings, then try again. ${file}`,
      ];
    case "NotFoundError":
    case "OverconstrainedError":
      return ["No microphone was found", `Connect one and try again. ${file}`];
    case "NotReadableError":
      return [
        "The microphone is busy",
        `Another program seems to be using it. Close that program and try again. ${file}`,
      ];
    case "TooShort":
      return ["The microphone went away", `It stopped before three seconds were recorded. ${file}`];
    default:
      return ["This browser cannot record", `Try a current version of any browser. ${file}`];
  }
}
