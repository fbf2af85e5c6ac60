// A genre's colour: the same wherever it is named, whatever other genres a model knows.

const KNOWN = [
  ...["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"],
  ...["electronic", "rnb", "latin", "folk"],
];
export const N_HUES = 20;

const strangers = [];

/** The number of a genre's colour; genres that the page does not know take the free ones in turn. */
export function hueNumber(label) {
  const known = KNOWN.indexOf(label);
  if (known >= 0) return known;
  if (!strangers.includes(label)) strangers.push(label);
  return (KNOWN.length + strangers.indexOf(label)) % N_HUES;
}

/** The class that carries the colour. */
export const hue = (label) => `hue-${hueNumber(label)}`;
