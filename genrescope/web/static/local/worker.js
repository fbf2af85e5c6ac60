// Listens beside the page, so that the page never stands still: a message asks, a message answers.

import { loadBundle, fetchChecked } from "./bundle.js";
import { Catalogue } from "./catalogue.js";
import { Extractor } from "./extract.js";
import { createHeads } from "./heads.js";
import { master } from "./loudness.js";
import { partsOf } from "./masking.js";
import { createNet } from "./net.js";
import { explain } from "./occlusion.js";
import { predict } from "./predict.js";
import { wavOf } from "./wav.js";

const ready = deferred();
const sessions = new Map(); // recordings that are being taken in, by number
const left = new Set(); // questions whose answers nobody waits for any more

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}

/** Reads and checks all that answers need. */
async function load(root, site) {
  const ort = await import(`${root}static/ort/ort.js`);
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const wasm = fetchChecked(`${root}static/ort/ort.wasm`, site.ort_sha256);
  const { bundle, read } = await loadBundle(`${root}bundle/`, site.bundle_sha256);
  const [model, ...others] = await Promise.all([
    read("model.onnx"),
    ...["catalogue.npz", "tempo.onnx", "key.onnx"].map((name) =>
      bundle.files[name] ? read(name) : null,
    ),
  ]);
  const [catalogue, tempo, key] = others;
  ort.env.wasm.wasmBinary = await wasm;
  return {
    bundle,
    settings: site.settings,
    net: await createNet(ort, model, bundle),
    catalogue: await Catalogue.read(catalogue, site.settings),
    hear: await createHeads(ort, { tempo, key }, bundle, site.settings),
  };
}

const asks = {
  async load({ root, site }) {
    load(root, site).then(ready.resolve, ready.reject);
    await ready.promise;
  },
  async begin({ session, rate, keep }) {
    const { bundle, settings } = await ready.promise;
    sessions.set(session, new Extractor(rate, bundle, settings, { keep }));
  },
  async push({ session, channels }) {
    sessions.get(session)?.push(channels);
  },
  /** What the samples so far say; they go on being taken in. */
  async guess({ session }) {
    const { bundle, net, settings } = await ready.promise;
    const extractor = sessions.get(session);
    if (!extractor) return null;
    return (await predict(extractor.clone().finish(), bundle, net, settings)).answer;
  },
  async answer({ session }) {
    const { bundle, net, settings, hear } = await ready.promise;
    return (await predict(finish(session), bundle, net, settings, hear)).answer;
  },
  async explain({ session, genre }, { id }) {
    const { bundle, net, settings } = await ready.promise;
    const report = (share) => {
      if (left.has(id)) throw new DOMException("aborted", "AbortError");
      postMessage({ id, share });
      return new Promise((resolve) => setTimeout(resolve)); // lets messages in
    };
    const clip = finish(session);
    const { figures, mask } = await explain(clip, genre, bundle, net, settings, report);
    return { figures, sounds: soundsOf(clip.samples, mask, bundle, settings) };
  },
  async similar({ embedding, n }) {
    const { catalogue } = await ready.promise;
    return catalogue.nearest(embedding, n);
  },
  async forget({ session }) {
    sessions.delete(session);
  },
  async leave({ question }) {
    left.add(question);
  },
};

/** The three sounds of an explanation as wav files, equally loud. */
function soundsOf(samples, mask, { features }, { explained_lufs, explained_peak_db }) {
  const asked = { lufs: explained_lufs, peakDb: explained_peak_db };
  const parts = Object.entries(partsOf(samples, mask, features));
  return Object.fromEntries(
    parts.map(([name, part]) => [name, wavOf([master(part, features.sr, asked)], features.sr)]),
  );
}

function finish(session) {
  const extractor = sessions.get(session);
  sessions.delete(session);
  return extractor.finish();
}

addEventListener("message", async ({ data: { id, ask, ...values } }) => {
  try {
    postMessage({ id, found: await asks[ask](values, { id }) });
  } catch (error) {
    postMessage({ id, error: { name: error.name, message: error.message } });
  } finally {
    left.delete(id);
  }
});
