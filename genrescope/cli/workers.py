"""Classifies many files, decoded in processes of their own, so that a file that crashes a decoder,
never ends or fills the memory costs its own answer alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from genrescope.audio.isolation import FOLDER_LIMITS
from genrescope.cli.answer import MOST_WORKERS, answer
from genrescope.system import n_cores

if TYPE_CHECKING:
    from genrescope.model.prediction import Prediction


def answers(bundle: str | os.PathLike[str], paths: Sequence[str]) -> Iterator[Prediction | str]:
    """For each path, in order, its prediction or what went wrong.

    Raises:
        GenrescopeError: the bundle cannot be used, or no process starts.
    """
    from genrescope.cli.walk import Found
    from genrescope.model.bundle import Bundle
    from genrescope.model.classifier import Classifier
    from genrescope.model.isolation import IsolatedFeatures
    from genrescope.sandbox import in_order

    loaded = Bundle.load(bundle)
    workers = max(1, min(n_cores(), MOST_WORKERS, len(paths)))
    decoders = IsolatedFeatures(loaded, processes=workers, memory_bytes=FOLDER_LIMITS.memory_bytes)
    with ThreadPoolExecutor(1) as pool:
        decoders.sandbox.start()
        # One thread a file: several files at once use the cores better.
        loading = pool.submit(Classifier, loaded, threads=1)

        def classify(path: str, *, max_duration_s: float) -> Prediction:
            clip = decoders.features_in_time(path, max_duration_s=max_duration_s)
            return loading.result().classify_features(clip)

        try:
            files = in_order(lambda path: answer(classify, Found(path)), paths, workers)
            with closing(files):
                for _, outcome in files:
                    yield outcome
        finally:
            decoders.sandbox.close()
