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

    return _each(loaded.classify, files, threads)


def explainer(bundle: str | None, files: Sequence[str]) -> Callable[[], None]:
    """Explains files one after the other, on one thread."""
    from genrescope.model.classifier import Classifier

    return _each(Classifier.load(bundle, threads=1).explain, files, threads=1)


def decoder(files: Sequence[str], threads: int) -> Callable[[], None]:
    """Decodes files to mono at 22,050 Hz by Genrescope's decoder, and nothing else.

    In blocks that are not kept, as a classifier takes them.
    """
    from genrescope.audio.decode import stream

    def decode(file: str) -> None:
        for _ in stream(file):
            pass

    return _each(decode, files, threads)


def _each(work: Callable[[str], object], files: Sequence[str], threads: int) -> Callable[[], None]:
    """Runs over the files; on one thread without a pool, as the command line's processes do."""

    def run() -> None:
        if threads == 1:
            for file in files:
                work(file)
            return
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(work, files):
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


def _folder(folder: str, name: str) -> None:
    """Decode a folder's files on all cores, by ``ours``, ``pyav`` or ``libsndfile``."""
    from pathlib import Path

    files = sorted(map(str, Path(folder).iterdir()))
    if name == "ours":
        decoder(files, threads=n_cores())()
        return
    alone = {"pyav": pyav, "libsndfile": libsndfile}[name]
    with ThreadPoolExecutor(n_cores()) as pool:
        for _ in pool.map(lambda file: alone([file])(), files):
            pass


if __name__ == "__main__":  # a whole process
    _folder(*sys.argv[1:])
