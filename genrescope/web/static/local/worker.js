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

/** Reads and checks all that answers need, the largest first. */
async function load(root, site) {
  const { settings } = site;
  const wasm = fetchChecked(`${root}static/ort/ort.wasm`, site.ort_sha256);
  const [ort, { bundle, read }] = await Promise.all([
    import(`${root}static/ort/ort.js`),
    loadBundle(`${root}bundle/`, site.bundle_sha256),
  ]);
  const readAny = (name) => (bundle.files[name] ? read(name) : null);
  Object.assign(ort.env, { logLevel: "error" });
  Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: await wasm });
  const reading = Promise.all(["tempo.onnx", "key.onnx"].map(readAny));
  const model = read("model.onnx");
  model.catch(() => {}); // it is waited for below
  const [tempo, key] = await reading;
  // For the small nets the runtime is compiled already while the large one is still on its way.
  const hear = await createHeads(ort, { tempo, key }, bundle, settings);
  const net = await createNet(ort, await model, bundle);
  ort.env.wasm.wasmBinary = undefined;
  const catalogue = Promise.resolve(readAny("catalogue.npz")).then((bytes) =>
    Catalogue.read(bytes, settings),
  );
  catalogue.catch(() => {}); // who asks for suggestions hears of it
  return { bundle, settings, net, hear, catalogue };
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
    return (await catalogue).nearest(embedding, n);
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
