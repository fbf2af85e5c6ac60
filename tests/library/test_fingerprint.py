from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from audio_makers import encoded
from hypothesis import given
from hypothesis import strategies as st
from library_makers import tune

from genrescope.audio.decode import decode
from genrescope.errors import AudioError
from genrescope.library.fingerprint import SAME, Fingerprints, difference, of_samples
from genrescope.library.fingerprint import SR as OWN_SR

SR = 22_050


def _print(path: Path, kind: str, samples: np.ndarray) -> np.ndarray:
    path.write_bytes(encoded(kind, samples, SR))
    return of_samples(decode(path, sr=OWN_SR).samples)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_codecs_levels_and_shifts_leave_it_the_same(seed: int, tmp_path: Path) -> None:
    played = tune(seed)
    original = _print(tmp_path / "a.flac", "flac", played)
    late = np.concatenate([0.001 * np.random.default_rng(9).standard_normal(SR), played])
    changed = {
        "mp3": _print(tmp_path / "a.mp3", "mp3", played),
        "opus": _print(tmp_path / "a.opus", "opus", played),
        "louder": _print(tmp_path / "b.flac", "flac", np.clip(2 * played, -1, 1)),
        "softer": _print(tmp_path / "c.flac", "flac", played / 2),
        "later": _print(tmp_path / "d.flac", "flac", late.astype(np.float32)),
        "earlier": _print(tmp_path / "e.flac", "flac", played[SR:]),
    }
    for name, other in changed.items():
        assert difference(original, other) < SAME, name
        assert difference(other, original) < SAME, name


@pytest.mark.slow
def test_other_tunes_of_the_same_instrument_are_others(tmp_path: Path) -> None:
    prints = [_print(tmp_path / f"{seed}.flac", "flac", tune(seed)) for seed in range(8)]
    apart = [difference(a, b) for i, a in enumerate(prints) for b in prints[:i]]
    assert min(apart) > SAME + 0.05


@given(st.integers(0, 2**32), st.integers(-100, 100), st.floats(0, 0.25))
def test_the_right_shift_is_found(seed: int, shift: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**32, 900, np.uint32)
    flipped = np.packbits(rng.random((800, 32)) < noise, axis=1).view(">u4").ravel()
    other = bits[100 + shift :][:800] ^ flipped[: len(bits[100 + shift :][:800])].astype(np.uint32)
    first = bits[100:]
    assert difference(first, other) < noise + 0.03
    assert difference(other, first) == pytest.approx(difference(first, other), abs=1e-9)


def test_what_is_too_short_is_like_nothing() -> None:
    assert len(of_samples(np.zeros(100, np.float32))) == 0
    short = of_samples(np.random.default_rng(0).standard_normal(5_512).astype(np.float32))
    assert difference(short, short) == 1.0


@pytest.fixture(scope="module")
def fingerprints() -> Iterator[Fingerprints]:
    running = Fingerprints()
    yield running
    running.close()


@pytest.mark.slow
def test_another_process_makes_the_same_of_a_file(
    fingerprints: Fingerprints, tmp_path: Path
) -> None:
    here = _print(tmp_path / "a.flac", "flac", tune(1))
    np.testing.assert_array_equal(fingerprints.of(tmp_path / "a.flac"), here)


def test_what_is_no_sound_is_refused(fingerprints: Fingerprints, tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"no sound" * 100)
    with pytest.raises(AudioError, match="no sound format"):
        fingerprints.of(tmp_path / "a.mp3")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="dies by a POSIX signal")
@pytest.mark.usefixtures("crashing_soundfile")
def test_a_file_that_crashes_the_decoder_is_refused_and_the_next_is_heard(
    tmp_path: Path,
) -> None:
    with closing(Fingerprints()) as fragile:
        (tmp_path / "crash.flac").write_bytes(encoded("flac", tune(1), SR))
        with pytest.raises(AudioError, match=r"it crashed the decoder \(Segmentation fault\)"):
            fragile.of(tmp_path / "crash.flac")
        assert len(fragile.of((tmp_path / "crash.flac").rename(tmp_path / "good.flac")))
