"""``python -m benchmarks.excerpt``: what ``fleet run --excerpt`` costs in accuracy.

Labelled features of clips are classified whole, and by three places that are the same share of the
clip as the excerpt is of a song. Clips are shorter than songs, and so are their places, so that the
cost of an excerpt of songs should be no higher. Writes genrescope/fleet/excerpt.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import ROOT
from benchmarks.labelled import add_data_option, certain_clips, read_facts
from genrescope.audio.excerpt import N_PLACES, place_starts
from genrescope.fleet.cost import ExcerptCost
from genrescope.model.classifier import Classifier
from genrescope.model.clip import Clip
from genrescope.model.interval import paired_bootstrap
from genrescope.model.prediction import Prediction

_OUT = ROOT / "genrescope" / "fleet" / "excerpt.json"
_CLIP_S = 30.0
_DRAWS = 10_000


def main(arguments: list[str] | None = None) -> None:
    """Entry point; see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.excerpt", description=__doc__)
    add_data_option(parser)
    parser.add_argument(
        "--bundle",
        action="append",
        metavar="FOLDER",
        help="what judges the tracks that it did not learn; may be repeated, for folds: each "
        "track is judged by the first of them",
    )
    parser.add_argument("--excerpt", type=float, default=90.0, help="seconds of a song")
    parser.add_argument("--song", type=float, default=240.0, help="seconds that a song has")
    parser.add_argument("--out", type=Path, default=_OUT)
    chosen = parser.parse_args(arguments)
    classifiers = [Classifier.load(bundle) for bundle in chosen.bundle or [None]]
    cost = measure(classifiers, chosen.data, share=chosen.excerpt / chosen.song)
    text = json.dumps(asdict(cost), indent=1) + "\n"
    chosen.out.write_text(text, encoding="utf-8")
    print(text, end="")


def measure(
    classifiers: Sequence[Classifier], data: list[list[Path]], *, share: float, seed: int = 0
) -> ExcerptCost:
    """Classify whole clips and places of them, each by the first bundle that did not learn it.

    Tracks that all of them learned are left out.

    Raises:
        ValueError: that is every track.
    """
    whole, places, agree = [], [], []
    for store, table in data:
        for classifier, mel, genre in _clips(store, table, classifiers):
            answers = [_classified(classifier, part) for part in (mel, _places(mel, share))]
            right = [answer.genre == genre for answer in answers]
            whole.append(right[0])
            places.append(right[1])
            agree.append(answers[0].genre == answers[1].genre)
    if not whole:
        raise ValueError("every track was learned; give a bundle that did not")
    change = paired_bootstrap(np.array(places), np.array(whole), n_boot=_DRAWS, seed=seed)
    return ExcerptCost(
        tracks=len(whole),
        clip_s=_CLIP_S,
        excerpt_s=_CLIP_S * share,
        accuracy=round(float(np.mean(whole)), 4),
        accuracy_excerpt=round(float(np.mean(places)), 4),
        change_low=round(change.low, 4),
        change_high=round(change.high, 4),
        agree=round(float(np.mean(agree)), 4),
        bundle=", ".join(classifier.bundle.name for classifier in classifiers),
        date=datetime.now(UTC).date().isoformat(),
    )


def _clips(
    store: Path, table: Path, classifiers: Sequence[Classifier]
) -> Iterator[tuple[Classifier, NDArray[np.float32], str]]:
    """Log-mel and genre of the certain tracks, with who did not learn them."""
    learned = [set(c.bundle.training.get("tracks", ())) for c in classifiers]
    for name, fact, mel in certain_clips(store, read_facts(table)):
        for classifier, tracks in zip(classifiers, learned, strict=True):
            if name not in tracks:
                yield classifier, mel, fact["genre"]
                break


def _places(mel: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    n = mel.shape[1]
    each = round(n * share / N_PLACES)
    return np.concatenate([mel[:, a : a + each] for a in place_starts(n, each)], axis=1)


def _classified(classifier: Classifier, mel: NDArray[np.float32]) -> Prediction:
    seconds = mel.shape[1] / classifier.bundle.features.frame_rate
    return classifier.classify_features(Clip(mel, seconds, ()))


if __name__ == "__main__":
    main()
