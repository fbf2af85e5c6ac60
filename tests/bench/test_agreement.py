"""The table of encodings is made of files that decode, and says what turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audio_makers import aligned, chord, encoded

from benchmarks.agreement import ENCODINGS, main
from genrescope.audio.decode import decode


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_holds_the_same_sound(name: str) -> None:
    samples = 0.5 * chord(2.0, 44_100, n_channels=2)
    wave = decode(ENCODINGS[name](samples, 44_100))
    assert wave.flags == ()
    got, original = aligned(wave.samples, 0.5 * chord(2.0)[:, 0], 2_500)
    assert np.corrcoef(got, original)[0, 1] > 0.9


@pytest.mark.slow
def test_nineteen_rows_a_recording(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    for i in range(2):
        sound = chord(3.0, 44_100, n_channels=2, seed=i)
        (tmp_path / "music" / f"{i}.flac").write_bytes(encoded("flac", sound, 44_100))
    out = tmp_path / "agreement.md"
    main(["--bundle", str(tiny_bundle), "--folder", str(tmp_path / "music"), "--out", str(out)])
    text = out.read_text(encoding="utf-8")
    assert sum(" of 2 |" in line for line in text.splitlines()) == len(ENCODINGS) == 19
    for line in text.splitlines():
        if line.startswith(("| FLAC", "| AIFF", "| ALAC")):
            assert "| 0 of 2 | 0.000 | 0.000 |" in line
    assert str(tmp_path) not in text


def test_a_folder_without_recordings_is_named(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--bundle", str(tiny_bundle), "--folder", str(tmp_path)])
