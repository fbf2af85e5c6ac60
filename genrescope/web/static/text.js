// The page's words in its language, with numbers and lists as that language writes them.

export const language = document.documentElement.lang || "en";
const { default: strings } = await import(`./strings.${language}.js`);

export const has = (key) => key in strings;

/** The words of `key`, with `{places}` filled from `values`. */
export function t(key, values = {}) {
  const words = strings[key];
  if (words === undefined) throw new Error(`no words for ${key}`);
  return words.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

// Made when first needed: they are dear, and the page is to stand before.
const late = (make) => {
  let made = null;
  return () => (made ??= make());
};

const plural = late(() => new Intl.PluralRules(language));

/** The words of `key.one` or `key.other`, as the language counts. */
export const count = (key, n, values = {}) => t(`${key}.${plural().select(n)}`, { n, ...values });

// British English: without a comma before the last, as on the rest of the page.
const lists = (type) =>
  late(() => new Intl.ListFormat(language === "en" ? "en-GB" : language, { type }));
const alternatives = lists("disjunction");
const additions = lists("conjunction");

/** “Bass and mids”. */
export const list = (names) => additions().format(names);

const numbers = (options) => late(() => new Intl.NumberFormat(language, options));

const frequencies = numbers({ useGrouping: false });

export const hertz = (value) => frequencies().format(value);

/** “Jazz, blues or rock”. */
export const either = (names) => alternatives().format(names);

const shares = [0, 1].map((digits) =>
  numbers({ style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }),
);

/** A probability to a tenth of a percent; what is all but certain is never called certain. */
export const percent = (p) => {
  if (p > 0.999) return `>\u00a0${shares[1]().format(0.999)}`;
  if (p < 0.001) return `<\u00a0${shares[1]().format(0.001)}`;
  return shares[1]().format(p);
};

/** A probability to a whole percent, for sentences. */
export const roughly = (p) => shares[0]().format(Math.min(Math.max(p, 0.01), 0.99));

export const tenths = (p) => shares[1]().format(p);

export const whole = (p) => shares[0]().format(p);

const decimal = numbers({ minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A loudness as musicians write it. */
export const lufs = (value) => `${decimal().format(Number(value)).replace("-", "−")}\u00a0LUFS`;

export const clock = (seconds) => {
  const full = Math.floor(Number.isFinite(seconds) ? seconds : 0);
  return `${Math.floor(full / 60)}:${String(full % 60).padStart(2, "0")}`;
};

const sizes = numbers({ maximumFractionDigits: 1 });

/** A size, rounded up to a tenth, so that what is over a limit reads so. */
export const megabytes = (bytes) =>
  `${sizes().format(Math.ceil((bytes / 2 ** 20) * 10) / 10)}\u00a0MB`;

/** A genre as people write it; one that the page has no word for is tidied. */
export function genreName(label) {
  if (has(`genre.${label}`)) return t(`genre.${label}`);
  const words = label.replace(/_/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
