"""Clips of a folder, decoded in confined processes: a hostile one costs its own row alone."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrescope.audio.isolation import JobLimits
from genrescope.data import folder, isolation
from genrescope.data.build import build_store
from genrescope.data.check import check_dataset
from genrescope.data.isolation import DecodedClip, decode_clips
from genrescope.data.track import SILENCE, Track
from genrescope.features.config import WAVEFORM_CONFIG, FeatureConfig
from genrescope.sandbox_worker import Reply

from .conftest import children, write_tone

HOSTILE = Path(__file__).resolve().parents[3] / "shared/faults/hostile"
MEL = FeatureConfig(sr=8000, n_fft=256, hop_length=128, n_mels=20)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="dies by a POSIX signal")


REASONS = {
    "crash": "it crashed the decoder (Segmentation fault)",
    "stuck": "it took more than 6 seconds",
    "fills": "it needs more memory than it may have",
    "fault": "it could not be decoded (KeyError: 'missing')",
    "lies!": "it made the decoder answer nonsense",
}


@pytest.fixture
def evil_music(music: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(isolation, "HANDLER", "sandbox_handlers:evil_clips")
    monkeypatch.setattr(isolation, "FOLDER_LIMITS", JobLimits(seconds=6.0, memory_bytes=2**28))
    for name in REASONS:
        (music / "fado" / f"{name}.wav").write_bytes(name.encode())
    return music


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_what_kills_stalls_fills_and_lies_is_a_row_with_its_reason(
    evil_music: Path, tmp_path: Path, workers: int
) -> None:
    wanted = {f"fado/{name}.wav": reason for name, reason in REASONS.items()}
    dataset = folder.read(evil_music)
    store = build_store(dataset, tmp_path / "store", config=MEL, workers=workers)
    checked = check_dataset(dataset, workers=workers)
    for absent in (store.absent, checked.absent):
        # Of the limit, what the start of a process took is gone.
        reasons = {name: re.sub(r"[\d.]+ sec", "6 sec", why) for name, why in absent.items()}
        assert {name: why for name, why in reasons.items() if name in wanted} == wanted
        assert set(absent) - wanted.keys() == {"fado/broken.mp3"}
    assert len(store) == len(checked.tracks) == 6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory by /proc")
def test_hostile_files_are_rows_and_take_little_memory_and_time(
    tmp_path: Path, music: Path
) -> None:
    if not HOSTILE.exists():
        pytest.skip("needs the hostile files of ../shared, which are not here")
    for path in HOSTILE.iterdir():
        (music / "fado" / path.name).symlink_to(path)
    peaks: list[float] = []
    others = set(children())

    def measure(done: float, total: float | None, name: str) -> None:
        peaks.append(max(map(peak_mb, set(children()) - others)))

    store = build_store(
        folder.read(music), tmp_path / "store", config=MEL, workers=1, progress=measure
    )
    for name in ("alac24.m4a", "slow.m4a"):
        assert "8 channels of 768000 samples" in store.absent[f"fado/{name}"]
    assert "fado/late.flv" in store.tracks
    assert len(store) + len(store.absent) == 10
    assert max(peaks) - peaks[0] < 150


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), "0 0")
    return int(line.split()[1]) / 2**10


def tracks_of(tmp_path: Path) -> list[Track]:
    tone = write_tone(tmp_path / "tone.wav", seconds=1)
    soundfile.write(tmp_path / "none.wav", np.zeros(8_000), 8_000)
    paths = (tone, tmp_path / "none.wav", tmp_path / "gone.wav", None)
    return [Track(str(i), "g", path=path) for i, path in enumerate(paths)]


@pytest.mark.slow
def test_clips_come_in_order_with_what_decoding_told(tmp_path: Path) -> None:
    tracks = tracks_of(tmp_path)
    clips = list(decode_clips(tracks, MEL, workers=2))
    assert [clip.track.track_id for clip in clips] == ["0", "1", "2", "3"]
    assert [clip.reason for clip in clips] == ["", SILENCE, "there is no such file", "no file"]
    (good, *_) = clips
    assert good.frames is not None
    assert good.frames.shape == (MEL.frames(8_000), MEL.n_bins)
    assert good.track.duration == pytest.approx(1.0)
    assert good.stat is not None


def test_without_features_only_the_facts_come_back(tmp_path: Path) -> None:
    (clip, *_) = decode_clips(tracks_of(tmp_path), None, workers=1)
    assert isinstance(clip, DecodedClip)
    assert clip.frames is None
    assert clip.track.duration == pytest.approx(1.0)
    assert len(clip.track.checksum or "") == 64


def test_waveforms_fill_their_range(tmp_path: Path) -> None:
    (clip, *_) = decode_clips(tracks_of(tmp_path)[:1], WAVEFORM_CONFIG, workers=1)
    assert clip.frames is not None
    assert clip.frames.shape == (22_050, 1)
    assert np.abs(clip.frames).max() == 1


def test_nothing_starts_for_no_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "HANDLER", "no.such.module:handler")
    assert list(decode_clips([], MEL, workers=1)) == []


@pytest.mark.parametrize(
    ("facts", "arrays"),
    [
        ({}, (np.zeros((4, 20), np.float16),)),
        ({"duration_s": 1.0, "flags": [], "silent": False}, ()),
        ({"duration_s": 1.0, "flags": [], "silent": True}, (np.zeros((4, 20), np.float16),)),
        ({"duration_s": 1.0, "flags": [], "silent": False}, (np.zeros((4, 21), np.float16),)),
        ({"duration_s": 1.0, "flags": [], "silent": False}, (np.zeros((0, 20), np.float16),)),
        ({"duration_s": 1.0, "flags": [], "silent": False}, (np.zeros((4, 20), np.float32),)),
        (
            {"duration_s": 1.0, "flags": [], "silent": False},
            (np.full((4, 20), np.inf, np.float16),),
        ),
        (
            {"duration_s": float("nan"), "flags": [], "silent": False},
            (np.zeros((4, 20), np.float16),),
        ),
        ({"duration_s": 1.0, "flags": ["<b>"], "silent": False}, (np.zeros((4, 20), np.float16),)),
        ({"duration_s": 1.0, "flags": [[]], "silent": False}, (np.zeros((4, 20), np.float16),)),
        ({"duration_s": 1.0, "flags": [], "silent": 0}, (np.zeros((4, 20), np.float16),)),
    ],
)
def test_what_no_decoder_would_say_is_refused(
    facts: dict[str, object], arrays: tuple[np.ndarray, ...]
) -> None:
    assert not isolation._is_sound(Reply(facts, arrays), MEL)
    good = {"duration_s": 1.0, "flags": ["truncated"], "silent": False}
    assert isolation._is_sound(Reply(good, (np.zeros((4, 20), np.float16),)), MEL)
