"""Length and peak of what passes by, and one rule for what is silent."""

from __future__ import annotations

import numpy as np
import pytest

from genrescope.audio.meter import Meter
from genrescope.audio.waveform import Waveform


def metered(*blocks: list[float]) -> Meter:
    waveforms = [Waveform(np.array(block, np.float32), 4) for block in blocks]
    meter = Meter(waveforms)
    for passed, waveform in zip(meter, waveforms, strict=True):
        assert passed is waveform.samples
    return meter


def test_blocks_pass_and_are_measured_together() -> None:
    meter = metered([0.0, 0.5], [], [-0.25, 0.25])
    assert (meter.n_samples, meter.duration_s, meter.peak) == (4, 1.0, 0.375)


@pytest.mark.parametrize(
    ("blocks", "silent"),
    [
        ([[0.0, 0.0]], True),
        ([[0.5, 0.5], [0.5]], True),  # a constant moves no loudspeaker
        ([[9e-5, -9e-5]], True),
        ([[1.1e-4, -1.1e-4]], False),
        ([[0.0], [0.25]], False),
        ([[0.5]], False),  # of a single sample nobody knows
        ([], True),
    ],
)
def test_what_stays_under_80_db_below_full_scale_is_silent(
    blocks: list[list[float]], silent: bool
) -> None:
    assert metered(*blocks).is_silent is silent
