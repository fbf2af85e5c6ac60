// Answers jobs with the page's own modules, under Node: `node answer.mjs job.json`, where the job
// names { modules, ort, bundle, settings, clips, task } and each clip { path, rate, channels }, float32
// samples, one channel after the other. Prints a line of JSON for each clip.

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const job = JSON.parse(await readFile(process.argv[2], "utf8"));
const load = (name) => import(pathToFileURL(`${job.modules}/${name}.js`));
const [{ Extractor, toMono }, { Resampler }, { describeBundle }] = await Promise.all(
  ["extract", "resample", "bundle"].map(load),
);
const { settings } = job;
const bundle = describeBundle(JSON.parse(await readFile(`${job.bundle}/bundle.json`, "utf8")));

async function samplesOf({ path, channels }) {
  const bytes = await readFile(path);
  const samples = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const length = samples.length / channels;
  return Array.from({ length: channels }, (_, i) => samples.slice(i * length, (i + 1) * length));
}

function extract(channels, rate, blocks, { keep = false } = {}) {
  const extractor = new Extractor(rate, bundle, settings, { keep });
  let at = 0;
  for (const block of blocks ?? [channels[0].length]) {
    extractor.push(channels.map((channel) => channel.subarray(at, at + block)));
    if (blocks) extractor.clone().finish(); // as a guess on the way does
    at += block;
  }
  return extractor.finish();
}

async function netsOf() {
  const ort = await import(pathToFileURL(`${job.ort}/ort.wasm.bundle.min.mjs`));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await readFile(`${job.ort}/ort-wasm-simd-threaded.wasm`);
  const { createNet } = await load("net");
  const { createHeads } = await load("heads");
  const read = (name) => (bundle.files[name] ? readFile(`${job.bundle}/${name}`) : null);
  const models = { tempo: await read("tempo.onnx"), key: await read("key.onnx") };
  return {
    net: await createNet(ort, await read("model.onnx"), bundle),
    hear: await createHeads(ort, models, bundle, settings),
  };
}

const plain = (array) => Buffer.from(Float32Array.from(array).buffer).toString("base64");

const tasks = {
  async resample(clip) {
    const resampler = new Resampler(clip.rate, bundle.features.sr);
    const [mono] = await samplesOf(clip);
    const [middle] = [Math.floor(mono.length / 3)];
    const parts = [mono.subarray(0, middle), mono.subarray(middle)].map((x) => resampler.push(x));
    return { samples: plain([...parts, resampler.finish()].flatMap((part) => Array.from(part))) };
  },
  async pulse(clip) {
    const { Onsets, pulseOf } = await load("pulse");
    const [mono] = await samplesOf(clip);
    const onsets = new Onsets(clip.rate);
    const middle = Math.floor(mono.length / 3);
    for (const part of [mono.subarray(0, middle), mono.subarray(middle)]) onsets.push(part);
    return pulseOf(onsets.finish(), clip.bpm);
  },
  async mono(clip) {
    return { samples: plain(toMono(await samplesOf(clip), settings)) };
  },
  async features(clip) {
    const { logMel, duration, peak } = extract(await samplesOf(clip), clip.rate, clip.blocks);
    return { data: plain(logMel.data), n_frames: logMel.nFrames, duration, peak };
  },
  async texture(clip) {
    const { noMusicScore } = await load("texture");
    const { prepare } = await load("clip");
    const { logMel } = extract(await samplesOf(clip), clip.rate);
    const { features } = prepare(logMel, bundle, settings);
    return { score: noMusicScore(features, bundle.no_music, bundle, settings) };
  },
  async answer(clip, { net, hear }) {
    const { predict } = await load("predict");
    const found = extract(await samplesOf(clip), clip.rate, clip.blocks);
    return (await predict(found, bundle, net, settings, hear)).answer;
  },
  async explain(clip, { net }) {
    const { explain } = await load("occlusion");
    const { partsOf } = await load("masking");
    const found = extract(await samplesOf(clip), clip.rate, null, { keep: true });
    const { figures, mask } = await explain(found, clip.genre, bundle, net, settings, () => {});
    const sounds = Object.entries(partsOf(found.samples, mask, bundle.features));
    return { figures, sounds: Object.fromEntries(sounds.map(([name, x]) => [name, plain(x)])) };
  },
  /** The sound masked by what the clip names, a value for each band and frame. */
  async parts({ mask, ...clip }) {
    const { partsOf } = await load("masking");
    const [samples] = await samplesOf(clip);
    const sounds = Object.entries(partsOf(samples, Float64Array.from(mask), bundle.features));
    return Object.fromEntries(sounds.map(([name, x]) => [name, plain(x)]));
  },
  async master({ lufs, peakDb, ...clip }) {
    const { loudness, master } = await load("loudness");
    const [samples] = await samplesOf(clip);
    return {
      lufs: loudness(samples, clip.rate),
      samples: plain(master(samples, clip.rate, { lufs, peakDb })),
    };
  },
  async wav(clip) {
    const { wavOf } = await load("wav");
    return Buffer.from(wavOf(await samplesOf(clip), clip.rate)).toString("base64");
  },
  /** What tells tempo and key of a clip of features, standardised by whoever asks. */
  async beats({ data, nBins }) {
    const { tempogram, timbre } = await load("rhythm");
    const { chroma } = await load("chroma");
    const clip = { data: Float32Array.from(data), nBins, nFrames: data.length / nBins };
    return {
      tempogram: plain(tempogram(clip, bundle.frameRate, settings.rhythm)),
      timbre: plain(timbre(clip, settings.rhythm)),
      chroma: plain(chroma(clip, bundle.features, settings.chroma).data),
    };
  },
  async tempo({ probs }) {
    const { readTempo } = await load("heads");
    return readTempo(probs, settings);
  },
  async whole({ bytes, stretches }) {
    const { whole } = await load("halved");
    return Buffer.from(whole(Buffer.from(bytes, "base64"), stretches)).toString("base64");
  },
  async similar({ embedding, n }) {
    const { Catalogue } = await load("catalogue");
    const catalogue = await Catalogue.read(await readFile(`${job.bundle}/catalogue.npz`), settings);
    return catalogue.nearest(embedding, n);
  },
};

const nets = job.ort ? await netsOf() : null;
for (const clip of job.clips) {
  const started = performance.now();
  const found = await tasks[job.task](clip, nets);
  console.log(JSON.stringify({ found, seconds: (performance.now() - started) / 1000 }));
}
