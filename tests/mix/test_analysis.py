"""What a mix hears of a recording, and which ones it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click_makers import click_file

from genrescope.audio.confined import ConfinedDecoder
from genrescope.errors import AudioError
from genrescope.mix.analysis import analyse
from genrescope.model import Classifier


@pytest.fixture(scope="module")
def classifier(tiny_bundle: Path) -> Classifier:
    return Classifier.load(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def decoder() -> Iterator[ConfinedDecoder]:
    with ConfinedDecoder() as running:
        yield running


@pytest.mark.slow
def test_tempo_beats_key_and_balance(
    classifier: Classifier, decoder: ConfinedDecoder, tmp_path: Path
) -> None:
    path = click_file(tmp_path / "a b.wav", 15, 120, tonic=3, hz=5_000)
    material = analyse(path, classifier, decoder)
    assert material.name == "a b"
    assert material.tempo == pytest.approx(120, rel=0.01)
    assert material.key_name == "C major (8B)"
    assert 0 <= material.begins < 0.1
    assert material.ends == pytest.approx(15, abs=0.1)
    assert material.balance.mean() == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [(20, 0.0, "silent"), (5, 0.3, "too short"), (1_300, 0.0, "longer than")],
)
def test_what_cannot_be_mixed_is_refused(
    seconds: int,
    level: float,
    words: str,
    classifier: Classifier,
    decoder: ConfinedDecoder,
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(seconds * 8_000, level), 8_000)
    with pytest.raises(AudioError, match=words):
        analyse(str(path), classifier, decoder)


def test_a_file_that_is_none_is_refused(
    classifier: Classifier, decoder: ConfinedDecoder, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_text("no sound")
    for path in (tmp_path / "a.wav", tmp_path / "none.wav"):
        with pytest.raises(AudioError):
            analyse(str(path), classifier, decoder)
