"""Fingerprints by fpcalc, the program of Chromaprint and AcoustID, where it is installed.

The recording is decoded here, in a confined process; fpcalc is given nothing but samples.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.decode import decode
from genrescope.audio.isolation import warm_up
from genrescope.audio.source import name_of
from genrescope.errors import AudioError
from genrescope.library.fingerprint import Fingerprints
from genrescope.sandbox_worker import Handler, Reply

SR = 11_025
HOP_S = 1_365 / SR
"""Between two numbers of a fingerprint: a third of Chromaprint's frame of 4,096 samples."""

SAME = 0.20
"""Share of different bits below which two recordings are the same sound: of 295 guises the
farthest was at .06, of 2,000 pairs of one genre the nearest at .35."""

_LENGTH_S = 120.0  # as much as fpcalc takes by itself
_TIMEOUT_S = 60.0
_TRIAL_S = 10.0


class FpcalcFingerprints(Fingerprints):
    """Fingerprints that fpcalc makes.

    Args:
        program: its path.
    """

    kind = "fpcalc"
    hop_s = HOP_S
    same = SAME
    _handler = "genrescope.library.fpcalc:handler"

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def of(self, path: str | os.PathLike[str]) -> NDArray[np.uint32]:
        """The fingerprint of a recording's first two minutes, see `Fingerprints.of`.

        Returns:
            uint32 (n,), one for each `HOP_S`; empty for less than about three seconds.
        """
        samples = self._numbers(path, "<i2", most=round(_LENGTH_S * SR))
        try:
            return _ask(self._program, samples)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise AudioError(
                name_of(path), f"fpcalc makes no fingerprint of it ({error})"
            ) from error


def available_fingerprints() -> Fingerprints:
    """Those of fpcalc where it is on PATH and works, else our own."""
    program = shutil.which("fpcalc")
    if program is not None:
        noise = np.random.default_rng(0).integers(-3_000, 3_000, round(_TRIAL_S * SR), np.int16)
        try:
            works = len(_ask(program, noise)) > 0
        except (OSError, ValueError, subprocess.SubprocessError):
            works = False
        if works:
            return FpcalcFingerprints(program)
    return Fingerprints()


def handler() -> Handler:
    """What the process does: a job's file to its samples of 16 bits at `SR`, as bytes."""

    def samples(file: BinaryIO, name: str | None = None) -> Reply:
        decoded = decode(file, sr=SR, duration=_LENGTH_S, name=name).samples
        whole = np.rint(np.clip(decoded, -1, 1) * 32_767).astype("<i2")
        return Reply({}, (whole.view(np.uint8),))

    warm_up(samples)
    return lambda job: samples(job.file, job.options["name"])


def _ask(program: str, samples: NDArray[np.int16]) -> NDArray[np.uint32]:
    """The fingerprint of samples (n_samples,) at `SR`; ValueError where fpcalc prints none."""
    options = ["-raw", "-json", "-format", "s16le", "-rate", str(SR), "-channels", "1"]
    done = subprocess.run(
        [program, *options, "-length", str(round(_LENGTH_S)), "-"],
        input=samples.astype("<i2").tobytes(),
        capture_output=True,
        check=False,  # some versions end with an error at the end of what they are given
        timeout=_TIMEOUT_S,
    )
    if b"Empty fingerprint" in done.stderr:
        return np.zeros(0, np.uint32)
    answer: Any = json.loads(done.stdout)
    numbers: Sequence[int] = answer["fingerprint"]
    return np.array([int(number) & 0xFFFFFFFF for number in numbers], np.uint32)
