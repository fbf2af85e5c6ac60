// A bundle's net, run by ONNX Runtime in WebAssembly, on one thread.

const OUTPUTS = ["logits", "embedding", "steps"];

/** `run`, whose calls wait for each other. */
export function inTurn(run) {
  let turn = Promise.resolve();
  return (...values) => {
    turn = turn.then(
      () => run(...values),
      () => run(...values),
    );
    return turn;
  };
}

export const open = (ort, model) =>
  ort.InferenceSession.create(model, { executionProviders: ["wasm"], intraOpNumThreads: 1 });

/**
 * The net as a function (windows, n, length) -> { logits, embedding, steps }, each a Float32Array
 * with the windows one after the other; `windows` is float32 (n, n_bins, length). Calls wait for
 * each other.
 * @param {object} ort the module onnxruntime-web, with its `env` set
 */
export async function createNet(ort, model, bundle) {
  const session = await open(ort, model);
  const wanted = OUTPUTS.filter((name) => session.outputNames.includes(name));
  return inTurn(async (windows, n, length) => {
    const shape = [n, bundle.features.n_mels, length];
    const input = new ort.Tensor("float32", windows, shape);
    const output = await session.run({ log_mel: input }, wanted);
    input.dispose();
    const taken = Object.fromEntries(wanted.map((name) => [name, output[name].data.slice()]));
    for (const name of wanted) output[name].dispose();
    const { logits, embedding, steps = logits } = taken;
    if (logits.length !== n * bundle.labels.length || !logits.every(Number.isFinite)) {
      throw new Error("the net answers with something else than it must");
    }
    return { logits, embedding, steps };
  });
}
