// Listens beside the page, so that the page never stands still: a message asks, a message answers.

import { loadBundle, fetchChecked } from "./bundle.js";
import { Catalogue } from "./catalogue.js";
import { Extractor } from "./extract.js";
import { createHeads } from "./heads.js";
import { master } from "./loudness.js";
import { partsOf } from "./masking.js";
import { discard } from "./memory.js";
import { createNet } from "./net.js";
import { explain } from "./occlusion.js";
import { predict } from "./predict.js";
import { wavOf } from "./wav.js";

const BLOCK = 2 ** 18; // samples of a channel taken in before other messages are looked at

/** Lets messages in. */
const pause = () => new Promise((resolve) => setTimeout(resolve));

let site = null; // what was published here, see genrescope.web.site
let root = ""; // address that its files' paths begin from
let runtime = null; // the promise of ONNX Runtime
const models = new Map(); // the promise of each that was asked for, by name
const sessions = new Map(); // recordings that are being taken in, by number: { model, extractor }
const left = new Set(); // questions whose answers nobody waits for any more

/** ONNX Runtime, before all nets: it is compiled while they are on their way. */
async function loadRuntime() {
  const wasm = fetchChecked(`${root}static/ort/ort.wasm`, site.ort_sha256);
  const ort = await import(`${root}static/ort/ort.js`);
  Object.assign(ort.env, { logLevel: "error" });
  // The buffer itself: of an array ONNX Runtime would make a copy.
  Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: (await wasm).buffer });
  return ort;
}

/** A model, read and checked, with all that answers need. */
async function loadModel(files) {
  const { settings } = site;
  const [ort, { bundle, read }] = await Promise.all([runtime, loadBundle(root, files)]);
  const reading = Promise.all(["tempo.onnx", "key.onnx"].map(read));
  const model = read("model.onnx");
  model.catch(() => {}); // it is waited for below
  const [tempo, key] = await reading;
  // For the small nets the runtime is compiled already while the large one is still on its way.
  const hear = await createHeads(ort, { tempo, key }, bundle, settings);
  const net = await createNet(ort, await model, bundle);
  // ONNX Runtime would keep the 14 MB that it was compiled from.
  if (ort.env.wasm.wasmBinary) discard({ buffer: ort.env.wasm.wasmBinary });
  ort.env.wasm.wasmBinary = undefined;
  const catalogue = read("catalogue.npz").then((bytes) => Catalogue.read(bytes, settings));
  catalogue.catch(() => {}); // who asks for suggestions hears of it
  return { bundle, settings, net, hear, catalogue };
}

/** The promise of a model, by its name. */
function modelOf(name) {
  if (!models.has(name)) {
    const loading = loadModel(site.bundles.find((each) => each.name === name).files);
    models.set(name, loading);
    loading.catch(() => models.delete(name)); // another time it may be there
  }
  return models.get(name);
}

const asks = {
  async open(values) {
    ({ root, site } = values);
    runtime = loadRuntime();
    runtime.catch(() => {}); // whoever waits for a model hears of it
  },
  async load({ model }) {
    await modelOf(model);
  },
  async begin({ session, model, rate, keep }) {
    const { bundle, settings } = await modelOf(model);
    sessions.set(session, { model, extractor: new Extractor(rate, bundle, settings, { keep }) });
  },
  async push({ session, channels }, { id }) {
    for (let at = 0; at < channels[0].length; at += BLOCK) {
      if (at) await pause();
      if (left.has(id) || !sessions.has(session)) break;
      sessions.get(session).extractor.push(channels.map((x) => x.subarray(at, at + BLOCK)));
    }
    channels.forEach(discard);
  },
  /** What the samples so far say; they go on being taken in. */
  async guess({ session }) {
    if (!sessions.has(session)) return null;
    const { model, extractor } = sessions.get(session);
    const { bundle, net, settings } = await modelOf(model);
    return (await predict(extractor.clone().finish(), bundle, net, settings)).answer;
  },
  async answer({ session }) {
    const [{ bundle, net, settings, hear }, clip] = await finish(session);
    return (await predict(clip, bundle, net, settings, hear)).answer;
  },
  async explain({ session, genre }, { id }) {
    const report = (share) => {
      if (left.has(id)) throw new DOMException("aborted", "AbortError");
      postMessage({ id, share });
      return pause();
    };
    const [{ bundle, net, settings }, clip] = await finish(session);
    const { figures, mask } = await explain(clip, genre, bundle, net, settings, report);
    return { figures, sounds: soundsOf(clip.samples, mask, bundle, settings) };
  },
  async similar({ model, embedding, n }) {
    const { catalogue } = await modelOf(model);
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

/** Ends a recording: its model, and its clip. */
async function finish(session) {
  const { model, extractor } = sessions.get(session);
  sessions.delete(session);
  return [await modelOf(model), extractor.finish()];
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
