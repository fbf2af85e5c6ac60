"""How faithful explanations are, on recordings that a bundle has not learned.

Each figure answers a question that a listener might ask of `genrescope.model.explain`:

- deletion and insertion: does the order of the cells tell more than chance, or than loudness?
- kept: does what decided, heard alone, still sound like the genre to the net?
- shifted: is the explanation the same when the recording begins half a second later?
- shuffled: is it of this net, or would a net with shuffled weights give the same (Adebayo et al.
  2018, "Sanity Checks for Saliency Maps")?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from genrescope.audio.confined import ConfinedDecoder
from genrescope.audio.waveform import Waveform
from genrescope.data.track import Track
from genrescope.errors import GenrescopeError
from genrescope.model.bundle import Bundle
from genrescope.model.classifier import Classifier
from genrescope.model.explain import DECIDED, explain
from genrescope.model.inference import Net, NetOutput
from genrescope.model.occlusion import areas_by_loudness
from genrescope.model.schema import MODEL
from genrescope.progress import Progress

SHIFT_S = 0.5
LONGEST_S = 10.0
"""Of each recording, so that an explanation is of one window."""


@dataclass(frozen=True)
class Faithfulness:
    """Means over recordings; areas and shares from 0 to 1, correlations from -1 to 1.

    Attributes:
        n: recordings.
        deletion, insertion: areas under the curves, by the explanation.
        random_deletion, random_insertion: in random orders.
        loudest_deletion, loudest_insertion: loudest cells first.
        kept: share of recordings of which what decided keeps the genre.
        shifted: rank correlation with the explanation of the recording from half a second on, over
            the moments that both hold.
        shuffled: rank correlation with that of a net with shuffled weights.
    """

    n: int
    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float
    loudest_deletion: float
    loudest_insertion: float
    kept: float
    shifted: float
    shuffled: float

    def to_dict(self) -> dict[str, Any]:
        """By name, ready for JSON."""
        return asdict(self)


def measure_explanations(
    bundle: Bundle,
    tracks: Sequence[Track],
    *,
    n: int = 20,
    seed: int = 0,
    progress: Progress | None = None,
) -> Faithfulness:
    """Explain the first seconds of recordings, and measure how faithful that is.

    Args:
        bundle: whose decisions are explained.
        tracks: with paths; those shorter than a window are left out.
        n: recordings, drawn at random.
        seed: of the draw and of everything random after it.
        progress: called after each recording.

    Raises:
        GenrescopeError: no recording is long enough.
    """
    rng = np.random.default_rng(seed)
    classifier = Classifier.load(bundle)
    shuffled = shuffled_net(bundle, rng)
    rows: list[tuple[float, ...]] = []
    order = rng.permutation(len(tracks))
    with ConfinedDecoder() as decoder:
        for place in order:
            track = tracks[place]
            wave = decoder.decode(
                str(track.path), sr=bundle.features.sr, duration=LONGEST_S + SHIFT_S
            )
            if wave.duration < LONGEST_S:
                continue
            rows.append(_row(classifier, shuffled, wave))
            if progress is not None:
                progress(len(rows), min(n, len(tracks)), track.track_id)
            if len(rows) == n:
                break
    if not rows:
        raise GenrescopeError(f"no recording of {LONGEST_S:g} s or more is here.")
    return Faithfulness(len(rows), *(float(mean) for mean in np.mean(rows, axis=0)))


def shuffled_net(bundle: Bundle, rng: np.random.Generator) -> Net:
    """The bundle's net with the weights of each layer in another order."""
    model = onnx.load_from_string(bundle.read(MODEL))
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype in (np.float32, np.int8) and values.ndim > 1:
            mixed = rng.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )

    def net(windows: NDArray[np.float32]) -> NetOutput:
        return NetOutput(session.run(["logits"], {"log_mel": windows})[0])

    return net


def _row(classifier: Classifier, shuffled: Net, wave: Waveform) -> tuple[float, ...]:
    """The figures of one recording, in the order of `Faithfulness`."""
    sr = wave.sr
    first = Waveform(wave.samples[: round(LONGEST_S * sr)], sr)
    later = Waveform(wave.samples[round(SHIFT_S * sr) :], sr)
    explanation = classifier.explain(first)
    fidelity = explanation.fidelity
    decided = explanation.sounds()[DECIDED]
    again = classifier.explain(later, explanation.genre)
    clip = classifier.features(first)
    shift = round(SHIFT_S * classifier.bundle.features.frame_rate)
    other = explain(
        classifier.bundle, shuffled, clip, explanation.prediction, genre=explanation.genre
    )
    return (
        fidelity.deletion_auc,
        fidelity.insertion_auc,
        fidelity.random_deletion_auc,
        fidelity.random_insertion_auc,
        *areas_by_loudness(classifier.bundle, classifier.net, clip, explanation.genre),
        float(classifier.classify(decided).genre == explanation.genre),
        _rank_correlation(explanation.mask()[:, shift:], again.mask()[:, : -shift or None]),
        _rank_correlation(explanation.cells, other.cells),
    )


def _rank_correlation(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Spearman's, over all places of two maps that are one above the other."""
    from scipy.stats import spearmanr

    n_frames = min(left.shape[1], right.shape[1])
    maps = (side[:, :n_frames].ravel() for side in (left, right))
    return float(np.nan_to_num(spearmanr(*maps).statistic))
