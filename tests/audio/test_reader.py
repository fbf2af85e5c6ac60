"""What no recording has is refused before anything is decoded."""

from __future__ import annotations

import numpy as np
from audio_makers import encoded, recording, refusal


def test_absurd_channels_and_rates() -> None:
    quiet = np.zeros((2_000, 40), np.float32)
    assert refusal(encoded("wav16", quiet, 22_050)).reason.startswith("it claims 40 channels")
    for sr in (500, 1_000_000):
        error = refusal(encoded("wav16", quiet[:, :1], sr))
        assert error.reason.startswith(f"it claims {sr} samples a second")
    header = bytearray(recording("wav16"))
    header[22:24] = b"\xff\xff"
    refusal(bytes(header))
