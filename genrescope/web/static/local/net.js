// A bundle's net, run by ONNX Runtime in WebAssembly, on one thread.

const OUTPUTS = ["logits", "embedding", "steps"];

/**
 * The net as a function (windows, n, length) -> { logits, embedding, steps }, each a Float32Array
 * with the windows one after the other; `windows` is float32 (n, n_bins, length). Calls wait for
 * each other.
 * @param {object} ort the module onnxruntime-web, with its `env` set
 */
export async function createNet(ort, model, bundle) {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["wasm"],
    intraOpNumThreads: 1,
  });
  const wanted = OUTPUTS.filter((name) => session.outputNames.includes(name));
  let turn = Promise.resolve();
  const run = async (windows, n, length) => {
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
  };
  return (windows, n, length) => {
    turn = turn.then(
      () => run(windows, n, length),
      () => run(windows, n, length),
    );
    return turn;
  };
}
