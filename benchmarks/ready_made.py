"""Against the common ready-made choice: transformers' audio-classification pipeline.

Nets of the published sizes with random weights, made from their configurations: speed does not
depend on weights, and nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from benchmarks.harness import Row, Session, compare, in_turn, workers
from benchmarks.material import recordings
from benchmarks.ours import n_cores

_SR = 16_000
_NETS = {
    "distilhubert": (
        "transformers pipeline, DistilHuBERT (24 M parameters)",
        "it hears all of the recording; decoded for it by Genrescope's decoder",
    ),
    "ast": (
        "transformers pipeline, AST base (86 M parameters)",
        "it hears the first 10.24 s alone, as the pipeline does by itself; decoded for it by "
        "Genrescope's decoder",
    ),
}


def measure(session: Session) -> Iterator[Row]:
    n = 1 if session.quick else 4
    files = recordings(session, session.seconds, n=n)
    for net, (name, note) in _NETS.items():
        with ExitStack() as stack:
            sides = workers(
                stack,
                session,
                pipeline=(
                    "benchmarks.ready_made:pipeline",
                    {"net": net, "files": files, "tiny": session.quick},
                ),
                ours=(
                    "benchmarks.ours:classifier",
                    {"bundle": session.bundle, "files": files, "threads": n_cores()},
                ),
            )
            found = in_turn(sides, repeats=session.repeats)
        yield compare(
            found,
            figure="ready-made",
            what=f"classify an mp3 of {session.seconds:g} s, libraries loaded",
            other="pipeline",
            other_name=name,
            goal=">= 20",
            per=n,
            note=note,
        )


def pipeline(net: str, files: Sequence[str], tiny: bool) -> Callable[[], None]:
    """Each file through a pipeline; ``tiny`` shrinks the net, to see that it works."""
    from genrescope.audio.decode import decode

    transformers = import_module("transformers")
    model, extractor = _model(transformers, net, tiny)
    answer = transformers.pipeline(
        "audio-classification", model=model, feature_extractor=extractor, device="cpu"
    )

    def run() -> None:
        for file in files:
            answer({"raw": decode(file, sr=_SR).samples, "sampling_rate": _SR})

    return run


def _model(transformers: Any, net: str, tiny: bool) -> tuple[Any, Any]:
    size: dict[str, Any] = {"num_labels": 10}
    if tiny:
        size |= {"hidden_size": 48, "num_attention_heads": 4, "intermediate_size": 48}
    if net == "ast":
        config = transformers.ASTConfig(**size, **({"num_hidden_layers": 1} if tiny else {}))
        model = transformers.ASTForAudioClassification(config)
        return model.eval(), transformers.ASTFeatureExtractor()
    # HuBERT base cut down to two layers (Chang, Yang, Lee: DistilHuBERT. ICASSP 2022).
    config = transformers.HubertConfig(
        **size, num_hidden_layers=2, **({"num_conv_pos_embeddings": 16} if tiny else {})
    )
    model = transformers.HubertForSequenceClassification(config)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True, sampling_rate=_SR)
    return model.eval(), extractor
