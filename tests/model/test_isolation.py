"""Features from processes of their own are those of this one, and a bad file ends one answer."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrescope.errors import AudioError, AudioTooLongError
from genrescope.model.bundle import Bundle
from genrescope.model.clip import extract_features
from genrescope.model.isolation import Allowance, IsolatedFeatures, OverAllowanceError
from genrescope.sandbox import JobTimeoutError
from genrescope.sandbox_worker import Reply

HOSTILE = Path(__file__).resolve().parents[3] / "shared/faults/hostile"


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


@pytest.fixture(scope="module")
def isolated(bundle: Bundle) -> Iterator[IsolatedFeatures]:
    running = IsolatedFeatures(bundle, processes=1, memory_bytes=400 * 2**20)
    yield running
    running.sandbox.close()


def sound(kind: str, subtype: str | None = None, *, seconds: float = 4) -> bytes:
    rng = np.random.default_rng(1)
    file = io.BytesIO()
    samples = rng.normal(0, 0.1, (round(44_100 * seconds), 2))
    soundfile.write(file, samples, 44_100, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_the_same_to_the_last_bit(
    bundle: Bundle, isolated: IsolatedFeatures, tmp_path: Path, kind: str
) -> None:
    data = sound(kind)
    path = tmp_path / f"song.{kind.lower()}"
    path.write_bytes(data)
    here = extract_features(bundle, data)
    for there in (isolated.features(data), isolated.features(str(path))):
        assert np.array_equal(there.log_mel, here.log_mel)
        assert (there.duration_s, there.flags) == (here.duration_s, here.flags)


def test_refusals_are_the_same_too(isolated: IsolatedFeatures, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"song: it is in no sound format"):
        isolated.features(b"no sound at all", name="song")
    with pytest.raises(AudioTooLongError):
        isolated.features(sound("WAV"), max_duration_s=1)
    with pytest.raises(AudioError, match="no such file"):
        isolated.features(str(tmp_path / "gone"))
    with pytest.raises(AudioError, match="folder"):
        isolated.features(str(tmp_path))


@pytest.mark.slow
def test_a_deadline_frees_the_process(isolated: IsolatedFeatures) -> None:
    isolated.features(sound("WAV"))
    with pytest.raises(JobTimeoutError):
        isolated.features(sound("FLAC", seconds=20), deadline=time.monotonic() + 0.005)
    assert isolated.features(sound("WAV")).duration_s == 4


def test_what_takes_more_than_its_allowance_is_another_error(isolated: IsolatedFeatures) -> None:
    song = sound("WAV")
    enough, short = Allowance(audio_s=5, processor_s=60), Allowance(audio_s=3, processor_s=60)
    clip = isolated.features(song, max_duration_s=900, allowance=enough)
    assert np.array_equal(clip.log_mel, isolated.features(song).log_mel)
    for allowance in (short, Allowance(audio_s=60, processor_s=0)):
        with pytest.raises(OverAllowanceError):
            isolated.features(song, max_duration_s=900, allowance=allowance)
    with pytest.raises(AudioTooLongError):  # for good
        isolated.features(song, max_duration_s=2, allowance=short)
    with pytest.raises(AudioError, match="no sound format"):
        isolated.features(b"no sound at all", max_duration_s=900, allowance=enough)


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"duration_s": 1.0, "flags": []}),
        Reply({"duration_s": 1.0, "flags": []}, (np.zeros((3, 4), np.float32),)),
        Reply({"duration_s": 1.0, "flags": []}, (np.zeros((128, 4)),)),
        Reply({"duration_s": 1.0, "flags": []}, (np.zeros((128, 0), np.float32),)),
        Reply({"duration_s": 1.0, "flags": []}, (np.full((128, 4), np.nan, np.float32),)),
        Reply({"duration_s": "1", "flags": []}, (np.zeros((128, 4), np.float32),)),
        Reply({"duration_s": np.inf, "flags": []}, (np.zeros((128, 4), np.float32),)),
        Reply({"duration_s": 1.0, "flags": ["<b>"]}, (np.zeros((128, 4), np.float32),)),
        Reply({"duration_s": 1.0, "flags": [["short"]]}, (np.zeros((128, 4), np.float32),)),
        Reply({"duration_s": 1.0, "flags": None}, (np.zeros((128, 4), np.float32),)),
        Reply({}, (np.zeros((128, 4), np.float32),)),
    ],
)
def test_what_no_decoder_would_say_is_refused(isolated: IsolatedFeatures, reply: Reply) -> None:
    with pytest.raises(AudioError, match="nonsense"):
        isolated._checked(reply, "song")


def peak_mb(isolated: IsolatedFeatures) -> float:
    """The most memory that the one process ever had."""
    (process,) = isolated.sandbox._all
    status = Path(f"/proc/{process._process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**10


@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory from /proc")
def test_hostile_files_end_soon_and_take_little(isolated: IsolatedFeatures) -> None:
    if not HOSTILE.exists():
        pytest.skip("needs the hostile files of ../shared, which are not here")
    isolated.features(sound("WAV"))
    rest = peak_mb(isolated)
    for name in ("alac24.m4a", "slow.m4a", "late.flv"):
        seconds = heard_s(isolated, HOSTILE / name)
        assert seconds > 0 or name != "late.flv"
        assert peak_mb(isolated) - rest < 100


def heard_s(isolated: IsolatedFeatures, path: Path) -> float:
    """How many seconds of a file are decoded in a minute at most; 0 where it is refused."""
    try:
        clip = isolated.features(str(path), max_duration_s=900, deadline=time.monotonic() + 60)
    except AudioError:
        return 0
    return clip.duration_s
