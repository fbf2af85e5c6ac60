"""Learn a person's own genres from the files that they tagged, or put into folders."""

from __future__ import annotations

import datetime
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from genrescope.library.catalogue import Catalogue, bundle_hash
from genrescope.library.learn.graph import with_head
from genrescope.library.learn.head import Fit, fit, seen
from genrescope.library.learn.lessons import gather
from genrescope.library.learn.windows import Taught, window_temperature
from genrescope.model.bundle import Bundle
from genrescope.model.interval import Interval, mean_interval
from genrescope.model.prediction import SET, UNCERTAIN, UNLIKELY
from genrescope.model.schema import MODEL
from genrescope.model.writing import check_free, write_bundle

CANNOT_TELL = 0.5
"""Share of a genre's held-out tracks below which it counts as one that cannot be told."""


@dataclass(frozen=True)
class GenreFigures:
    """How well a genre is recognised on tracks by artists that were not learned from.

    Attributes:
        n: tracks.
        recall: share that is found.
        precision: share of the answers with this genre that are right.
        taken_for: the other genre named most in its place; None where none is.
    """

    genre: str
    n: int
    recall: float
    precision: float
    taken_for: str | None


@dataclass(frozen=True, eq=False)
class Learned:
    """A bundle that was learned, and how good it is.

    Attributes:
        bundle: as it was written.
        accuracy: on tracks by artists that were not learned from; the bootstrap draws artists.
        figures: of each genre.
        left_out: see `genrescope.library.learn.lessons.Lessons`.
    """

    bundle: Bundle
    accuracy: Interval
    figures: list[GenreFigures]
    left_out: dict[str, str]

    @property
    def cannot_tell(self) -> list[GenreFigures]:
        """Genres of which less than `CANNOT_TELL` is found."""
        return [figure for figure in self.figures if figure.recall < CANNOT_TELL]


def learn(
    catalogue: Catalogue,
    base: Bundle,
    out: str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    table: Mapping[str, str] | None = None,
    name: str = "own-genres",
    seed: int = 0,
) -> Learned:
    """Fit a head to a person's genres and write a bundle that any verb can use.

    Args:
        base: the bundle whose embeddings, by its judgements in the catalogue, are learned from.
        out: folder of the new bundle.
        folder: take each song's genre from the sub-folder of this one that it lies in; by default
            from its tag.
        table: spellings, each with the genre it belongs to; those that lead to nothing ("") are
            left out. What is not in it is a genre of its own.
        name: of the new bundle.
        seed: of the folds, of the bootstrap and of the tracks that are heard again.

    Raises:
        LibraryError: fewer than two genres have `lessons.MIN_TRACKS` tracks by
            `lessons.MIN_ARTISTS` artists.
        BundleError: ``out`` holds something else.
    """
    check_free(out)
    lessons = gather(catalogue, catalogue.bundle_id(base), folder=folder, table=table or {})
    rows = seen(lessons.embedding, lessons.probabilities)
    fitted = fit(rows, lessons.labels, lessons.artists, seed=seed)
    figures = _figures(fitted, lessons.genres)
    hits = fitted.held_out.argmax(axis=1) == fitted.labels
    accuracy = mean_interval(hits, groups=lessons.artists, seed=seed)
    write = partial(
        write_bundle,
        out,
        onnx_bytes=with_head(base.read(MODEL), fitted.head, temperature=base.temperature),
        name=name,
        labels=lessons.genres,
        features=base.features,
        window_s=base.window_s,
        hop_s=base.hop_s,
        thresholds={UNCERTAIN: fitted.uncertain, SET: fitted.set_threshold},
        no_music=base.no_music,
        training={
            "data": f"{len(lessons.labels)} tracks of a person's collection",
            "protocol": "artists",
            "net": f"a linear head on what {base.name} tells ({bundle_hash(base)[:12]})",
            "seed": seed,
        },
        metrics=[_metrics(fitted, figures, accuracy)],
        licence=base.licence,
        created=datetime.date.today().isoformat(),
    )
    taught = [Taught(path, row) for path, row in zip(lessons.paths, rows, strict=True)]
    clips = write(temperature=fitted.temperature)
    bundle = write(temperature=window_temperature(clips, fitted.head, taught, seed=seed))
    return Learned(bundle, accuracy, figures, lessons.left_out)


def _figures(fitted: Fit, genres: tuple[str, ...]) -> list[GenreFigures]:
    predicted = fitted.held_out.argmax(axis=1)
    figures = []
    for k, genre in enumerate(genres):
        of_genre = predicted[fitted.labels == k]
        others = Counter(int(j) for j in of_genre if j != k)
        named = fitted.labels[predicted == k]
        figures.append(
            GenreFigures(
                genre=genre,
                n=len(of_genre),
                recall=float((of_genre == k).mean()),
                precision=float((named == k).mean()) if len(named) else 0.0,
                taken_for=genres[others.most_common(1)[0][0]] if others else None,
            )
        )
    return figures


def _metrics(fitted: Fit, figures: list[GenreFigures], accuracy: Interval) -> dict[str, Any]:
    n = np.arange(len(fitted.labels))
    named = fitted.held_out.argmax(axis=1)
    own = fitted.held_out[n, fitted.labels]
    alone = fitted.sets.sum(axis=1) == 1
    return {
        "protocol": "artists",
        "part": "test",
        "level": "track",
        "n": len(n),
        "accuracy": accuracy.value,
        "low": accuracy.low,
        "high": accuracy.high,
        "recall": round(float(np.mean([figure.recall for figure in figures])), 3),
        "recalls": {figure.genre: round(figure.recall, 2) for figure in figures},
        "set_coverage": round(float(fitted.sets[n, fitted.labels].mean()), 3),
        "set_size": round(float(fitted.sets.sum(axis=1).mean()), 2),
        "odd_share": round(float(((own < UNLIKELY) & ~fitted.sets[n, fitted.labels]).mean()), 3),
        "single_share": round(float(alone.mean()), 3),
        "single_precisions": {
            figure.genre: round(float((fitted.labels == k)[alone & (named == k)].mean()), 2)
            for k, figure in enumerate(figures)
            if (alone & (named == k)).any()
        },
    }
