"""What the worst recordings cost: memory and processor time of the process itself, measured.

A server under siege is measured by `soak.siege`; here each worst case stands alone, in a process
with the server's own limits, so that one that costs too much has a name.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from audio_makers import chord, encoded
from odd_makers import alac_with_frames_of, muxed, with_packets

from genrescope.errors import AudioError, AudioTooLongError
from genrescope.model.bundle import Bundle
from genrescope.model.isolation import IsolatedFeatures
from genrescope.sandbox import JobTimeoutError
from genrescope.web.limits import Limits
from genrescope.web.polishing import Polisher

LIMITS = Limits(workers=1)
MOST_MB = 160
"""Beyond a process at rest: three times the largest upload."""
MOST_CPU_S = 20.0
"""Of a processor, however long the clock runs on a busy machine."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures processes by /proc")


def silence(seconds: int, sr: int, n_channels: int, kind: str = "FLAC") -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", sr, n_channels, format=kind) as out:
        for _ in range(seconds):
            out.write(np.zeros((sr, n_channels), np.int16))
    return file.getvalue()


def many_tracks(n_tracks: int) -> bytes:
    return muxed(chord(0.1, 44_100), 44_100, "matroska", "pcm_s16le", n_tracks=n_tracks)


def many_pictures(n_tracks: int) -> bytes:
    """A sound, and so many films that nobody asked for."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        sound = output.add_stream("pcm_s16le", rate=44_100, layout="mono")
        films = [output.add_stream("mpeg4", rate=5) for _ in range(n_tracks)]
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        picture.pts, picture.time_base = 0, Fraction(1, 5)
        for film in films:
            film.width = film.height = 64
            film.pix_fmt = "yuv420p"
        for film in films:
            output.mux([*film.encode(picture), *film.encode(None)])
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4_410), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 44_100, 0
        output.mux([*sound.encode(frame), *sound.encode(None)])
    return file.getvalue()


def wav_of_lies() -> bytes:
    wav = bytearray(encoded("wav16", chord(1.0, 44_100, n_channels=2), 44_100))
    wav[40:44] = (2**32 - 64).to_bytes(4, "little")
    return bytes(wav)


WORST: dict[str, Callable[[], bytes]] = {
    "a frame of 2^24 samples": lambda: alac_with_frames_of(1 << 24),
    "the longest frame that is read": lambda: alac_with_frames_of(1 << 18),
    "48 MB in one packet": lambda: with_packets("pcm_s16le", "matroska", [bytes(48_000_000)]),
    "a million broken packets": lambda: with_packets("aac", "matroska", [b"\xff" * 8] * 1_000_000),
    "a quarter of an hour in a few kB": lambda: silence(899, 8_000, 1),
    "more than a quarter of an hour": lambda: silence(1_200, 8_000, 1),
    "the most samples a second": lambda: silence(20, 655_350, 8),
    "hundreds of tracks": lambda: many_tracks(300),
    "hundreds of films": lambda: many_pictures(500),
    "a header that promises 4 GB": wav_of_lies,
    "Vorbis in thousands of links": lambda: encoded("ogg", chord(0.1, 8_000), 8_000) * 3_000,
}


@cache
def recording(name: str) -> bytes:
    return WORST[name]()


@dataclass(frozen=True)
class Cost:
    """What a process has taken so far: MB at its peak, and seconds of a processor."""

    peak_mb: float
    cpu_s: float


def cost(isolated: IsolatedFeatures | Polisher) -> Cost:
    (process,) = isolated.sandbox._all
    folder = Path(f"/proc/{process._process.pid}")
    status = (folder / "status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    ticks = (folder / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return Cost(int(line.split()[1]) / 2**10, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"))


def died_of(isolated: IsolatedFeatures, data: bytes) -> BaseException | None:
    """Why a process that decodes a recording died; None where it lives."""
    deadline = time.monotonic() + LIMITS.work_s
    try:
        isolated.features(data, max_duration_s=LIMITS.audio_s, deadline=deadline)
    except AudioError as error:
        return error.__cause__
    return None


@pytest.fixture
def isolated(tiny_bundle: Path) -> Iterator[IsolatedFeatures]:
    """A fresh process, as the server starts them."""
    running = IsolatedFeatures(
        Bundle.load(tiny_bundle), processes=1, memory_bytes=LIMITS.decoding_bytes
    )
    running.sandbox.fences()
    yield running
    running.sandbox.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", WORST)
def test_the_worst_recordings_take_little(isolated: IsolatedFeatures, name: str) -> None:
    data = recording(name)
    assert len(data) <= LIMITS.upload_bytes
    before = cost(isolated)
    # It may be refused by a limit on the sound, but the process must not have died of it.
    assert died_of(isolated, data) is None
    after = cost(isolated)
    assert after.peak_mb - before.peak_mb < MOST_MB
    assert after.cpu_s - before.cpu_s < MOST_CPU_S


@pytest.mark.slow
@pytest.mark.slow
def test_polishing_keeps_within_the_memory_that_there_is() -> None:
    limits = Limits(workers=1, memory_bytes=2**30)
    polisher = Polisher(processes=1, memory_bytes=limits.polishing_bytes)
    file = io.BytesIO()
    n_samples = int(48_000 * (limits.polish_audio_s - 1))
    noise = np.random.default_rng(0).normal(0, 0.1, (n_samples, 2))
    soundfile.write(file, noise, 48_000, format="WAV", subtype="PCM_16")
    try:
        polisher.sandbox.fences()
        before = cost(polisher)
        done = polisher.polish(
            *(file.getvalue(), "wav"),
            name="song",
            max_duration_s=limits.polish_audio_s,
            deadline=time.monotonic() + 300,
        )
        assert len(done.data) > 4 * n_samples
        assert (cost(polisher).peak_mb - before.peak_mb) * 2**20 < limits.polishing_bytes
        with pytest.raises(AudioTooLongError):
            polisher.polish(
                *(silence(round(limits.polish_audio_s) + 1, 8_000, 1), "wav"),
                name="song",
                max_duration_s=limits.polish_audio_s,
                deadline=time.monotonic() + 300,
            )
    finally:
        polisher.sandbox.close()


@pytest.mark.slow
def test_what_needs_too_long_frees_its_process_at_the_deadline(
    isolated: IsolatedFeatures,
) -> None:
    data = recording("the most samples a second")
    with pytest.raises(JobTimeoutError):
        isolated.features(data, deadline=time.monotonic() + 0.05)
    assert isolated.features(silence(1, 8_000, 1)).duration_s == 1
    assert cost(isolated).cpu_s < MOST_CPU_S


@pytest.mark.slow
def test_a_process_that_would_take_more_memory_is_refused_it(tiny_bundle: Path) -> None:
    few = IsolatedFeatures(Bundle.load(tiny_bundle), processes=1, memory_bytes=48 * 2**20)
    try:
        few.sandbox.fences()
        before = cost(few)
        with pytest.raises(AudioError):
            few.features(recording("48 MB in one packet"))
        assert cost(few).peak_mb - before.peak_mb < 64
        assert few.features(silence(1, 8_000, 1)).duration_s == 1
    finally:
        few.sandbox.close()
