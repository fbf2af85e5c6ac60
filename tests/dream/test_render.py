"""From a song to sound: finite, of its length, in its tempo, and the mean of both channels."""

from __future__ import annotations

import numpy as np
import pytest
from song_makers import by_chance, middle

from genrescope.dream.render import render, render_stereo

SR = 22_050


@pytest.mark.parametrize("seed", range(6))
def test_any_song_is_sound(seed: int) -> None:
    x = render(by_chance(seed), 3.0, SR, seed=seed)
    assert x.shape == (3 * SR,)
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    assert 0.02 < np.sqrt(np.mean(x**2)) < 0.2
    assert np.abs(x).max() < 2


def test_what_both_channels_share_is_the_song_in_mono() -> None:
    song = by_chance(2)
    stereo = render_stereo(song, 3.0, SR)
    assert np.allclose(stereo.mean(axis=0), render(song, 3.0, SR), atol=1e-6)
    assert np.abs(stereo[0] - stereo[1]).max() > 1e-3


def test_it_is_the_same_every_time() -> None:
    song = by_chance(4)
    assert np.array_equal(render(song, 2.0, SR, seed=5), render(song, 2.0, SR, seed=5))
    assert not np.array_equal(render(song, 2.0, SR, seed=5), render(song, 2.0, SR, seed=6))


def test_a_song_of_which_everything_is_off_is_quiet_tape() -> None:
    off = dict.fromkeys(("drums", "pad"), -48.0) | dict.fromkeys(("bass", "chords", "lead"), -40.0)
    assert np.isfinite(render(middle(**off), 1.0, SR)).all()


def test_distortion_adds_overtones() -> None:
    quiet = {"drums": -48.0, "pad": -48.0, "bass": -40.0, "lead": -40.0, "hiss": -70.0}
    dark = {"chord_hz": 400.0, "chord_tilt": 2.5, "high_cut_hz": 11_000.0}

    def above(drive_db: float) -> float:
        spectrum = np.abs(
            np.fft.rfft(render(middle(**quiet, **dark, chord_drive=drive_db), 2.0, SR))
        )
        return float(spectrum[4_000:].sum() / spectrum.sum())

    assert above(40.0) > 1.5 * above(-18.0)
