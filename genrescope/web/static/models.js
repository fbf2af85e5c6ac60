// What the server answers with: its models, how good each is, and its limits.

import * as api from "./api.js";
import { $ } from "./dom.js";
import { t } from "./text.js";
import { accuracy, honesty, isMusic } from "./words.js";

const known = new Map(); // by the name that answers carry: what is known of a model
let serverLimits = { upload_bytes: 50 * 2 ** 20, audio_s: 900 };

export const limits = () => serverLimits;

/** The name of the model that is to be asked; empty for the usual one. */
export const chosen = () => ($("bundle-way").hidden ? "" : $("bundle").value);

/** Asks the server about the chosen model and shows what it says. */
export async function learn() {
  try {
    const facts = await api.bundle(chosen());
    serverLimits = facts.limits;
    known.set(facts.name, facts);
    $("honesty").textContent = honesty(facts);
    $("version").textContent = `Genrescope ${facts.version}`;
    showChoice(facts.bundles);
  } catch {
    // The page works without; whatever is wrong will be said when a recording is sent.
  }
}

/** How often the model that gave an answer is right, as far as that is known here. */
export function showAccuracy(answer) {
  const facts = known.get(answer.bundle);
  $("accuracy").textContent = facts && isMusic(answer) ? accuracy(facts) : "";
}

/** Offers the models to choose from, where there is more than one. */
function showChoice(bundles) {
  if ($("bundle").length === bundles.length) return;
  $("bundle-way").hidden = bundles.length < 2;
  $("bundle").replaceChildren(
    ...bundles.map(
      ({ name, labels }) => new Option(t("bundle.choice", { n: labels.length, name }), name),
    ),
  );
}
