"""A mix, measured: beats on beats, equally loud, no clipping, chapters where recordings change."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click_makers import click_file
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from genrescope.errors import AudioError
from genrescope.mastering.loudness import loudness, true_peak_db
from genrescope.mix.join import SR, Mix, mix
from genrescope.model import Classifier

PITCHES_HZ = (1_500.0, 5_000.0)


@pytest.fixture(scope="module")
def classifier(tiny_bundle: Path) -> Classifier:
    return Classifier.load(tiny_bundle, threads=1)


def _onsets(x: NDArray[np.float64], hz: float) -> NDArray[np.float64]:
    """When clicks of a pitch begin, s."""
    sections = butter(4, (hz / 1.35, hz * 1.35), "bandpass", fs=SR, output="sos")
    level = np.abs(sosfiltfilt(sections, x))
    smooth = np.convolve(level, np.ones(200) / 200, "same")
    loud = np.flatnonzero(smooth > 0.12 * smooth.max())
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-SR) > 0.1 * SR)]
    return np.array([s + np.argmax(smooth[s : s + 1_500]) for s in starts]) / SR


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"),
    [(120.0, 126.0), (120.0, 120.0), (104.0, 97.0), (82.0, 160.0)],
)
def test_beats_lie_on_each_other_through_each_transition(
    first: float, second: float, classifier: Classifier, tmp_path: Path
) -> None:
    paths = [
        click_file(tmp_path / f"{i}.wav", 24, bpm, first=0.3 + 0.17 * i, hz=hz)
        for i, (bpm, hz) in enumerate(zip((first, second), PITCHES_HZ, strict=True))
    ]
    made = mix(paths, tmp_path / "mix.wav", classifier=classifier)
    samples, _ = soundfile.read(tmp_path / "mix.wav")
    transition = made.songs[1].transition
    assert transition is not None
    assert transition.matched
    middle, half = made.songs[1].starts, transition.duration / 2
    order = [PITCHES_HZ[paths.index(song.material.path)] for song in made.songs]
    # But the first and last beat, where one of both is not there yet or no more.
    inside = [
        times[np.abs(times - middle) < 0.85 * half]
        for times in (_onsets(samples.mean(axis=1), hz) for hz in order)
    ]
    fewer, more = sorted(inside, key=len)
    assert len(fewer) >= 5
    assert np.abs(fewer[:, None] - more).min(axis=1).max() < 0.020


@pytest.fixture(scope="module")
def mixed(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mix]:
    """Three recordings, one soft, one loud, one of another tempo."""
    folder = tmp_path_factory.mktemp("mix")
    paths = []
    for i, (bpm, gain) in enumerate([(120.0, 0.05), (122.0, 1.9), (170.0, 0.5)]):
        path = click_file(folder / f"{i}.wav", 24, bpm, tonic=i)
        samples, sr = soundfile.read(path)
        soundfile.write(path, samples * gain, sr, subtype="FLOAT")
        paths.append(path)
    out = folder / "mix.wav"
    return out, mix(paths, out, classifier=classifier)


def test_each_recording_is_as_loud_and_nothing_clips(mixed: tuple[Path, Mix]) -> None:
    out, made = mixed
    samples, sr = soundfile.read(out, dtype="float32")
    assert sr == SR
    assert true_peak_db(np.ascontiguousarray(samples.T)) <= -0.95
    bounds = [*(song.starts for song in made.songs), made.duration]
    levels = []
    for start, end in pairwise(bounds):
        margin = 4.0
        part = samples[round((start + margin) * SR) : round((end - margin) * SR)].T
        levels.append(loudness(np.ascontiguousarray(part), SR))
    assert np.ptp(levels) < 1.0


def test_no_sample_jumps_where_pieces_meet(mixed: tuple[Path, Mix]) -> None:
    samples, _ = soundfile.read(mixed[0])
    bend = np.abs(np.diff(samples.mean(axis=1), 2))
    for song in mixed[1].songs[1:]:
        assert song.transition is not None
        half = song.transition.duration / 2
        for seam in (song.starts - half - 0.3, song.starts + half + 0.3):  # between two clicks
            here = round(seam * SR)
            assert bend[here - 20 : here + 20].max() < 2 * bend[here - 2_000 : here - 20].max()


def test_chapters_and_length(mixed: tuple[Path, Mix]) -> None:
    out, made = mixed
    assert made.duration == pytest.approx(soundfile.info(out).duration)
    text = out.with_suffix(".cue").read_text(encoding="utf-8")
    assert text.count("TRACK") == 3
    assert [song.starts for song in made.songs] == sorted(song.starts for song in made.songs)
    assert made.songs[0].starts == 0
    assert {Path(song.material.path).name for song in made.songs} == {"0.wav", "1.wav", "2.wav"}


@pytest.mark.slow
def test_one_recording_is_no_mix_and_a_bad_file_leaves_nothing(
    classifier: Classifier, tmp_path: Path
) -> None:
    path = click_file(tmp_path / "a.wav", 15, 120)
    out = tmp_path / "mix.wav"
    with pytest.raises(ValueError, match="two recordings"):
        mix([path], out, classifier=classifier)
    with pytest.raises(AudioError):
        mix([path, str(tmp_path / "none.wav")], out, classifier=classifier)
    assert not out.exists()


@pytest.mark.slow
def test_progress_counts_listening_and_writing(classifier: Classifier, tmp_path: Path) -> None:
    paths = [click_file(tmp_path / f"{i}.wav", 13, 120) for i in range(2)]
    told: list[float] = []
    mix(
        paths, tmp_path / "m.wav", classifier=classifier,
        progress=lambda done, total, what: told.append(done),
    )  # fmt: skip
    assert told == [1, 2, 3, 4]
