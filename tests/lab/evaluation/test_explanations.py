"""How true explanations are is measured beside what is not true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from genrescope.cli import app
from genrescope.data.track import Track
from genrescope.errors import GenrescopeError
from genrescope.lab.evaluation.explanations import measure_explanations, shuffled_net
from genrescope.model.bundle import Bundle
from genrescope.model.net import BundleNet

SR = 22_050


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of 11 s whose first third holds a tone of jazz's bands, and one of 3 s."""
    folder = tmp_path_factory.mktemp("music")
    for genre in ("jazz", "pop"):
        (folder / genre).mkdir()
    for i, seconds in enumerate((11, 11, 3)):
        times = np.arange(seconds * SR) / SR
        noise = np.random.default_rng(i).normal(0, 1e-2, len(times))
        tone = (times < 4) * 0.5 * np.sin(2 * np.pi * (2100 + 50 * i) * times)
        sf.write(folder / ("jazz" if i % 2 else "pop") / f"{i}.wav", noise + tone, SR)
    return folder


def tracks(music: Path) -> list[Track]:
    return [
        Track(path.name, "jazz", path=path)
        for path in sorted(music.rglob("*.wav"), key=lambda path: path.name)
    ]


@pytest.mark.slow
def test_what_decides_is_told_from_chance(music: Path, tiny_bundle: Path) -> None:
    done: list[int] = []
    found = measure_explanations(
        Bundle.load(tiny_bundle),
        tracks(music),
        n=5,
        progress=lambda n, total, name: done.append(n),
    )
    assert found.n == done[-1] == 2  # one is too short
    assert found.deletion < found.random_deletion
    assert found.insertion > found.random_insertion
    assert found.kept == 1
    assert found.shifted > found.shuffled


@pytest.mark.slow
def test_music_that_is_too_short_cannot_be_measured_by(music: Path, tiny_bundle: Path) -> None:
    with pytest.raises(GenrescopeError, match="no recording of 10 s"):
        measure_explanations(Bundle.load(tiny_bundle), tracks(music)[2:])


def test_a_shuffled_net_answers_otherwise(tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    windows = np.random.default_rng(0).normal(size=(2, 128, 129)).astype(np.float32)
    shuffled = shuffled_net(bundle, np.random.default_rng(0))(windows)
    assert shuffled.logits.shape == (2, 10)
    assert not np.allclose(shuffled.logits, BundleNet(bundle)(windows).logits)


@pytest.mark.slow
def test_the_verb_prints_them(music: Path, tiny_bundle: Path) -> None:
    arguments = ["--data", music, "--bundle", tiny_bundle, "--explain", "--split", "all"]
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    assert "deletion, lower is truer" in result.stdout
    assert "shuffled weights" in result.stdout
