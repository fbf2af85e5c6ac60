"""Degradations do what their names say, measured on the sound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from genrescope.audio.decode import decode
from genrescope.lab import sounds
from genrescope.lab.robustness.degradations import CODECS, DEGRADATIONS, as_file, encode

SR = 22_050
Array = NDArray[Any]


@pytest.fixture(scope="module")
def music() -> Array:
    return sounds.melody(4 * SR, SR, rng=np.random.default_rng(3))


def apply(name: str, x: Array, *, seed: int = 0, sr: int = SR) -> Array:
    return DEGRADATIONS[name](x, sr, np.random.default_rng(seed))


def db(x: Array) -> float:
    return float(10 * np.log10(np.mean(np.square(x, dtype=float))))


def band_db(x: Array, low: float, high: float) -> float:
    hz, power = signal.welch(x, SR, nperseg=4096)
    return float(10 * np.log10(power[(hz >= low) & (hz < high)].mean()))


def correlation(x: Array, y: Array) -> float:
    """The highest at any delay."""
    product = signal.fftconvolve(x, y[::-1])
    return float(np.abs(product).max() / np.sqrt(np.sum(x**2) * np.sum(y**2)))


@pytest.mark.slow
@pytest.mark.parametrize("name", DEGRADATIONS)
def test_all_are_repeatable_finite_within_range_and_as_long(name: str, music: Array) -> None:
    out = apply(name, music)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 1.05  # a codec may overshoot
    np.testing.assert_array_equal(out, apply(name, music))
    expected = round(len(music) / {"speed -3 %": 0.97, "speed +3 %": 1.03}.get(name, 1))
    expected += {"silence 5 s before": 5, "silence 10 s after": 10}.get(name, 0) * SR
    assert abs(len(out) - expected) <= (1 if "speed" in name else 0)
    assert not np.array_equal(out, music)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in DEGRADATIONS if n.endswith(" dB") and "gain" not in n])
def test_noise_lies_as_far_below_as_it_says(name: str, music: Array) -> None:
    out = apply(name, music).astype(float)
    scale = np.dot(out, music) / np.dot(music, music)  # it may have been turned down
    noise = out / scale - music
    wanted = float(name.split()[-2])
    assert db(music) - db(noise) == pytest.approx(wanted, abs=0.5)
    slope = band_db(noise, 2000, 4000) - band_db(noise, 200, 400)
    assert slope < -5  # pink noise and voices are stronger below


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("telephone band", (600, 3000), [(20, 150), (5000, 10_000)]),
        ("lowpass 4 kHz", (50, 3500), [(5500, 10_000)]),
        ("phone microphone", (500, 2000), [(20, 80)]),
        ("laptop microphone", (600, 5000), [(20, 80)]),
    ],
)
def test_bands_keep_the_inside_and_lose_the_outside(
    name: str, inside: tuple[float, float], outside: list[tuple[float, float]]
) -> None:
    noise = 0.5 * sounds.coloured_noise(5 * SR, SR, slope=0, rng=np.random.default_rng(0))
    out = apply(name, noise)
    assert band_db(out, *inside) - band_db(noise, *inside) == pytest.approx(0, abs=4)
    for edges in outside:
        assert band_db(out, *edges) - band_db(noise, *edges) < -15


@pytest.mark.parametrize(("name", "change"), [("gain -40 dB", -40), ("gain -20 dB", -20)])
def test_gain_moves_the_level(name: str, change: float, music: Array) -> None:
    assert db(apply(name, music)) - db(music) == pytest.approx(change, abs=0.1)


def test_too_much_gain_and_clipping_cut_off(music: Array) -> None:
    loud = 0.9 * music / np.abs(music).max()
    assert np.mean(np.abs(apply("gain +10 dB", loud)) == 1) > 0.001
    clipped = apply("clipping", loud)
    assert np.mean(np.abs(clipped) >= np.abs(clipped).max()) == pytest.approx(0.05, abs=0.005)


def test_a_hall_holds_a_click_longer_than_a_small_room() -> None:
    click = np.zeros(2 * SR, np.float32)
    click[100] = 0.5
    late = {name: db(apply(name, click)[SR : SR + SR // 2]) for name in ("small room", "hall")}
    assert late["hall"] > late["small room"] + 20


@pytest.mark.parametrize("name", [n for n in DEGRADATIONS if "kb/s" in n])
def test_a_codec_gives_back_much_the_same(name: str, music: Array) -> None:
    out = apply(name, music)
    assert correlation(out, music) > 0.9
    assert len(as_file(name, music, SR, np.random.default_rng(0))) < 0.5 * 2 * len(music)


@pytest.mark.parametrize("sr", [7_000, 37_800, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("name", CODECS)
def test_a_codec_takes_recordings_of_any_rate(name: str, sr: int) -> None:
    tune = sounds.melody(2 * sr, sr, rng=np.random.default_rng(3))
    decoded = decode(encode(tune, sr, name), sr=sr).samples
    assert len(decoded) == pytest.approx(len(tune), rel=0.1)
    assert correlation(decoded, tune) > 0.8


def test_silence_lies_before_or_after(music: Array) -> None:
    before, after = apply("silence 5 s before", music), apply("silence 10 s after", music)
    np.testing.assert_array_equal(before[5 * SR :], music)
    np.testing.assert_array_equal(after[: len(music)], music)
    assert not before[: 5 * SR].any()
    assert not after[len(music) :].any()


def test_speed_moves_the_pitch() -> None:
    tone = sounds.tones(2 * SR, SR, hz=np.array([1000.0]), rng=np.random.default_rng(0))
    for name, hz in (("speed -3 %", 970), ("speed +3 %", 1030)):
        out = apply(name, tone)
        peak = np.abs(np.fft.rfft(out * np.hanning(len(out)))).argmax() * SR / len(out)
        assert peak == pytest.approx(hz, abs=1)


def test_stereo_has_two_channels_that_differ(music: Array) -> None:
    left, right = apply("stereo", music).T
    np.testing.assert_allclose(left / np.abs(left).max(), music / np.abs(music).max(), atol=1e-6)
    at_once = np.dot(left, right) / np.sqrt(np.sum(left**2) * np.sum(right**2))
    assert abs(at_once) < 0.9


@pytest.mark.parametrize("seconds", [1, 4])
def test_a_dropout_is_silent_and_leaves_the_rest(seconds: int) -> None:
    x = sounds.coloured_noise(seconds * SR, SR, slope=0, rng=np.random.default_rng(0))
    out = apply("dropout 1 s", x)
    assert np.sum(out == 0) == min(SR, len(x) // 2)
    np.testing.assert_array_equal(out[out != 0], x[out != 0])


@pytest.mark.parametrize(
    "name", ["hall", "lowpass 4 kHz", "phone in a room", "stereo", "opus 24 kb/s"]
)
def test_clips_of_a_tenth_of_a_second_and_other_rates_do(name: str) -> None:
    for sr, n in ((44_100, 4_410), (8_000, 800)):
        x = sounds.coloured_noise(n, sr, slope=1, rng=np.random.default_rng(0))
        assert len(apply(name, x, sr=sr)) == n


@pytest.mark.parametrize("kind", ["pop", "thump"])
@pytest.mark.parametrize("level", [20, 30, 40])
def test_pops_and_thumps_are_short_and_as_loud_as_they_say(
    kind: str, level: int, music: Array
) -> None:
    out = apply(f"{kind} {level} dB over the peak", music).astype(float)
    loud = np.flatnonzero(np.abs(out) > 2 * np.abs(out).max() * 10 ** (-level / 20))
    assert (loud[-1] - loud[0]) / SR < {"pop": 0.007, "thump": 0.05}[kind]
    quiet = np.delete(np.arange(len(out)), np.arange(loud[0] - 1_200, loud[-1] + 1_200))
    scale = np.dot(out[quiet], music[quiet]) / np.dot(music[quiet], music[quiet])
    over_db = 20 * np.log10(np.abs(out).max() / scale / np.abs(music).max())
    assert over_db == pytest.approx(level, abs=1.0)


@pytest.mark.parametrize("level", [10, 20, 30])
def test_offsets_are_constant_and_as_large_as_they_say(level: int, music: Array) -> None:
    out = apply(f"offset {level} dB over the music", music).astype(float)
    assert 20 * np.log10(out.mean() / out.std()) == pytest.approx(level, abs=0.5)
    assert np.corrcoef(out, music)[0, 1] > 0.999
