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
  const brief = flags.includes("short"); // too little to be sure by, whatever the number
  if (p >= 0.9 && !brief) return `It has hardly a doubt: ${percent(p)}.`;
  if (p >= 0.7 && !brief) return `It is quite sure: ${percent(p)}. ${runnerUp}`;
  if (p >= 0.5) return `Rather likely: ${percent(p)}. ${runnerUp}`;
  return `A cautious guess: ${percent(p)} for ${genreName(first)}. ${runnerUp}`;
}

/** The genres it may well be, of `total`, as a sentence; none where that would tell nothing. */
export function others(genres, flags, total) {
  const few = genres.length > 1 && genres.length < Math.min(total, 5);
  if (!few || flags.includes("no music")) return "";
  const names = genres.map(genreName);
  return `Nine times in ten it is one of these: ${names.slice(0, -1).join(", ")} or ${names.at(-1)}.`;
}

export const FLAGS = {
  silent: "The recording is silent, so there is nothing to name.",
  short: "This was short; with ten seconds or more it hears better.",
  truncated: "Part of the file was damaged; what could be read was used.",
};

/** A loudness as musicians write it. */
export const lufs = (value) => `${String(value).replace("-", "−")} LUFS`;

// Whom models of the same recipe did not learn from; the most telling first.
const UNHEARD = {
  artists: "by artists they had never heard",
  "fault-filtered": "by artists they had never heard",
  tracks: "they had never heard, some by artists they had",
};

/** The bundle's own accuracy as a sentence, or none when it carries no figure that is worth one. */
export function honesty({ metrics, labels }) {
  const knows = `It knows ${labels.length} genres and names one of them whatever it hears.`;
  const ofTracks = metrics.filter((m) => m.level === "track");
  const metric = Object.keys(UNHEARD)
    .flatMap((protocol) => ["test", "valid"].map((part) => ({ protocol, part })))
    .map((want) => ofTracks.find((m) => m.protocol === want.protocol && m.part === want.part))
    .find(Boolean);
  if (!metric) return knows;
  const [right, low, high] = [metric.accuracy, metric.low, metric.high].map(tenth);
  return `How honest is the number? Models of the same recipe named the right genre of ${right}\u00a0% of ${metric.n} tracks ${UNHEARD[metric.protocol]} (95\u00a0% interval ${low} to ${high}). ${knows}`;
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
