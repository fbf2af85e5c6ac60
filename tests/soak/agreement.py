"""One answer, whoever is asked: one thread or many, one classifier or two."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from genrescope.audio.waveform import Waveform
from genrescope.model import Classifier, Prediction

_SR = 22_050


def disagreements(bundle: Path, *, n_clips: int) -> tuple[int, list[str]]:
    """How many answers were compared, and where one was not, bit for bit, that of one thread."""
    rng = np.random.default_rng(0)
    lengths = rng.uniform(0.5, 60, n_clips) * _SR
    clips = [
        Waveform(rng.normal(0, 0.1, int(length)).astype(np.float32).cumsum() / 50, _SR)
        for length in lengths
    ]
    alone = Classifier.load(bundle, threads=1)
    truth = [alone.classify(clip) for clip in clips]
    compared, wrong = 0, []
    for threads in (1, 2, 4):  # of ONNX Runtime: one file alone gets more than one of many
        pair = [Classifier.load(bundle, threads=threads) for _ in range(2)]
        with ThreadPoolExecutor(8) as pool:
            jobs = [
                (i, pool.submit(classifier.classify, clip))
                for i, clip in enumerate(clips)
                for classifier in (*pair, *pair)
            ]
            for i, job in jobs:
                compared += 1
                if not same(job.result(), truth[i]):
                    wrong.append(f"clip {i} with {threads} threads of ONNX Runtime")
    return compared, wrong


def same(a: Prediction, b: Prediction) -> bool:
    """Whether two answers are the same, bit for bit."""
    arrays = ("probs", "clip_probs", "step_probs", "step_times", "embedding", "times")
    return a.to_dict() == b.to_dict() and all(
        getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in arrays
    )
