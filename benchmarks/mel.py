"""The mel spectrogram of 30 s against librosa's: the same numbers, sooner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import Row, Session, compare, in_turn, workers
from benchmarks.material import recordings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TIMES = 10  # of one run: a mel takes milliseconds


def measure(session: Session) -> Iterator[Row]:
    (file,) = recordings(session, session.seconds)
    output = session.folder / "mel"
    output.mkdir(exist_ok=True)
    with ExitStack() as stack:
        sides = workers(
            stack,
            session,
            ours=("benchmarks.mel:ours", {"file": file, "output": str(output / "ours.npy")}),
            librosa=(
                "benchmarks.mel:librosas",
                {"file": file, "output": str(output / "librosa.npy")},
            ),
            difference=("benchmarks.mel:difference", {"folder": str(output)}),
        )
        largest = sides.pop("difference")
        found = in_turn(sides, repeats=session.repeats)
        apart = largest().value
    row = compare(
        found,
        figure="mel",
        what=f"log-mel of {session.seconds:g} s at 22,050 Hz, hop 512, 128 bands",
        other="librosa",
        other_name="librosa melspectrogram and power_to_db",
        goal=">= 3",
        per=_TIMES,
    )
    yield replace(row, note=f"largest difference of the two: {apart:.2g} dB of 80")


def ours(file: str, output: str) -> Callable[[], None]:
    """Genrescope's log-mel."""
    import numpy as np

    from genrescope.audio.decode import decode
    from genrescope.features.config import FeatureConfig
    from genrescope.features.spectrogram import log_mel

    samples = decode(file).samples
    return _repeated(lambda: log_mel(samples, FeatureConfig()), np.save, output)


def librosas(file: str, output: str) -> Callable[[], None]:
    """librosa's log-mel with the same parameters; its defaults pad with zeros as well."""
    import librosa
    import numpy as np

    from genrescope.audio.decode import decode

    samples = decode(file).samples

    def mel() -> NDArray[np.float32]:
        power = librosa.feature.melspectrogram(y=samples, sr=22_050, n_fft=2048, hop_length=512)
        decibels: NDArray[np.float32] = librosa.power_to_db(power, ref=np.max)
        return decibels

    return _repeated(mel, np.save, output)


def difference(folder: str) -> Callable[[], float]:
    """Largest difference between what the two sides saved, dB."""
    import numpy as np

    def run() -> float:
        a, b = (np.load(Path(folder) / name) for name in ("ours.npy", "librosa.npy"))
        return float(np.abs(a - b).max())

    return run


def _repeated(
    mel: Callable[[], NDArray[np.float32]],
    save: Callable[[str, NDArray[np.float32]], None],
    output: str,
) -> Callable[[], None]:
    save(output, mel())

    def run() -> None:
        for _ in range(_TIMES):
            mel()

    return run
