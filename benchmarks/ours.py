"""Genrescope's side of the comparisons, and decoding alone: what workers and processes run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor


def classifier(bundle: str | None, files: Sequence[str], threads: int) -> Callable[[], None]:
    """Classifies files, several at a time, each on one thread, as the command line does."""
    from genrescope.model.classifier import Classifier

    loaded = Classifier.load(bundle, threads=1)

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(loaded.classify, files):
                pass

    return run


def decoder(files: Sequence[str], threads: int) -> Callable[[], None]:
    """Decodes files to mono at 22,050 Hz by Genrescope's decoder, and nothing else.

    In blocks that are not kept, as a classifier takes them.
    """
    from genrescope.audio.decode import stream

    def decode(file: str) -> None:
        for _ in stream(file, block_s=5.0):
            pass

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(decode, files):
                pass

    return run


def pyav(files: Sequence[str]) -> Callable[[], None]:
    """Decodes every frame of the files by PyAV: no downmix, no resampling, nothing kept."""
    import av

    def run() -> None:
        for file in files:
            with av.open(file) as container:
                container.streams.audio[0].codec_context.thread_count = 1
                for _ in container.decode(audio=0):
                    pass

    return run


def libsndfile(files: Sequence[str]) -> Callable[[], None]:
    """Decodes the files by libsndfile, a block at a time: no downmix, nothing kept."""
    import numpy as np
    import soundfile

    def run() -> None:
        for file in files:
            with soundfile.SoundFile(file) as sound:
                block = np.empty((1 << 14, sound.channels), np.float32)
                while len(sound.read(out=block)) == len(block):
                    pass

    return run


def n_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":  # a whole process that decodes a folder's files
    from pathlib import Path

    decoder(sorted(map(str, Path(sys.argv[1]).iterdir())), threads=n_cores())()
