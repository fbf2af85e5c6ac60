"""The table of bad audio, row by row, and what is worse than the table."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from audio_makers import KINDS, chord, encoded, id3_tag, recording, refusal

from genrescope.audio.decode import decode, stream
from genrescope.errors import AudioError

COMPRESSED = ("flac", "flac24", "ogg", "opus", "mp3", "m4a-faststart", "aac", "webm", "ac3")


def test_missing_folder_pipe_and_empty(tmp_path: Path) -> None:
    missing = tmp_path / "none.wav"
    assert str(refusal(missing)) == f"{missing}: there is no such file. Check the path."
    assert refusal("nul\0.wav").reason == "there is no such file"
    assert refusal(tmp_path).reason == "it is a folder"
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    assert refusal(pipe).reason == "it is not a regular file"
    assert refusal(Path(os.devnull)).reason == "it is not a regular file"
    empty = tmp_path / "empty.wav"
    empty.touch()
    assert refusal(empty).reason == refusal(b"").reason == "it is empty (0 bytes)"


def test_not_permitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.wav"
    path.write_bytes(recording("wav16"))

    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)  # chmod does not keep root out
    assert refusal(path).reason == "it may not be read (permission denied)"


@pytest.mark.parametrize(
    "content",
    [
        *(b"Dear diary, today I listened to music.\n" * 50, b"\x89PNG\r\n\x1a\n" + bytes(3000)),
        *(b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0", bytes(5000), b"x"),
        # Playlists name other files, which must not be opened.
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
    ],
)
def test_what_is_no_sound(content: bytes) -> None:
    error = refusal(content, name="upload")
    assert str(error).startswith("upload: it is in no sound format that can be read. Convert it")


def test_a_video_without_sound() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width = video.height = 32
        output.mux([p for _ in range(5) for p in video.encode(av.VideoFrame(32, 32, "yuv420p"))])
        output.mux(video.encode(None))
    assert refusal(file.getvalue()).reason == "it holds no sound"


@pytest.mark.parametrize("kind", ["wav16", "wav-float", "aiff", "ogg", "caf"])
def test_zero_samples(kind: str) -> None:
    error = refusal(encoded(kind, np.zeros((0, 1), np.float32), 22_050))
    assert error.reason == "it holds no samples that can be decoded"


@pytest.mark.parametrize("kind", ["wav-float", "wav-double", "aiff-float", "au-float"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity(kind: str, value: float) -> None:
    samples = chord(1.0, 44_100, n_channels=2).copy()
    samples[30_000, 1] = value
    data = encoded(kind, samples, 44_100)
    assert refusal(data).reason == "it holds NaN or infinite samples"
    assert decode(data, duration=0.2).duration == pytest.approx(0.2, abs=1e-3)


def test_values_that_overflow_single_precision() -> None:
    file = io.BytesIO()
    samples = np.full((2_000, 2), 1e300)
    import soundfile

    soundfile.write(file, samples, 44_100, format="WAV", subtype="DOUBLE")
    assert refusal(file.getvalue()).reason == "it holds NaN or infinite samples"


@pytest.mark.parametrize("kind", ["wav-float", "aiff-float", "au-float", "wav-double"])
def test_values_that_no_sound_has(kind: str) -> None:
    loud = 1e9 * chord(1.0, 44_100)
    assert decode(encoded(kind, loud, 44_100)).samples.max() > 1e8
    error = refusal(encoded(kind, -1e30 * chord(1.0, 44_100), 44_100))
    assert error.reason == "it holds samples far beyond full scale"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fraction", [0.35, 0.77])
def test_a_cut_file_is_used_as_far_as_it_goes_and_flagged(kind: str, fraction: float) -> None:
    data = recording(kind, 6.0 if kind in ("ogg", "opus") else 2.0)  # pages hold up to a second
    cut = data[: round(fraction * len(data))]
    if kind in ("m4a", "alac"):
        assert refusal(cut).reason.startswith("its index is missing")
        return
    wave, whole = decode(cut), decode(data)
    assert wave.flags == ("truncated",)
    assert whole.flags == ()
    assert fraction - 0.2 < wave.duration / whole.duration < fraction + 0.2
    np.testing.assert_allclose(wave.samples[:9_000], whole.samples[:9_000], atol=1e-4)
    blocks = stream(cut, block_s=0.25)
    assert sum(len(block.samples) for block in blocks) == len(wave.samples)
    assert blocks.flags == ("truncated",)


@pytest.mark.parametrize("kind", COMPRESSED)
def test_broken_frames_are_skipped_and_flagged(kind: str) -> None:
    data = bytearray(recording(kind, 4.0))
    middle = len(data) // 2
    data[middle : middle + 3_000] = np.random.default_rng(0).bytes(3_000)
    wave, whole = decode(bytes(data)), decode(recording(kind, 4.0))
    assert wave.flags == ("truncated",)
    # An Ogg page holds up to a second; WebM resumes at the next cluster, here none.
    assert (0.45 if kind == "webm" else 0.7) < wave.duration / whole.duration < 1.02
    np.testing.assert_allclose(wave.samples[:30_000], whole.samples[:30_000], atol=1e-4)


@pytest.mark.parametrize("size", [0xFFFF_FFFF, 0x7FFF_F024])
def test_a_wav_written_to_a_pipe_is_whole(size: int) -> None:
    data = bytearray(recording("wav16"))
    data[40:44] = size.to_bytes(4, "little")
    wave = decode(bytes(data))
    assert wave.flags == ()
    assert wave.duration == pytest.approx(2.0)


def test_a_wav_whose_recorder_died_before_it_wrote_the_sizes() -> None:
    data = bytearray(recording("wav16"))
    data[4:8] = data[40:44] = bytes(4)
    assert decode(bytes(data)).duration == pytest.approx(2.0)


def test_tags_and_pictures_do_not_disturb() -> None:
    def frame(name: bytes, body: bytes) -> bytes:
        return name + len(body).to_bytes(4, "big") + b"\0\0" + body

    mp3 = recording("mp3-bare")
    latin1_as_utf8 = id3_tag(frame(b"TIT2", b"\x03caf\xe9\xff"))
    picture = id3_tag(frame(b"APIC", b"\0image/png\0\x03\0\x89PNG\r\n\x1a\n" + b"x" * 5_000))
    id3v1 = b"TAG" + b"x" * 125
    expected = decode(mp3)
    for data in (latin1_as_utf8 + mp3, picture + mp3, mp3 + id3v1, picture + recording("flac")):
        wave = decode(data)
        assert wave.flags == ()
        assert wave.duration == pytest.approx(expected.duration, abs=0.1)


LYRICS = b"LYRICSBEGININD0000200" + b"la la la " * 40 + b"000383LYRICS200"


@pytest.mark.parametrize(
    "behind",
    [b"\0" * 4_000, b"\n", LYRICS, LYRICS + b"TAG" + b"x" * 125, b"TAG" + b"x" * 125],
    ids=["zeros", "newline", "lyrics", "lyrics and a tag", "tag"],
)
@pytest.mark.parametrize("kind", ["mp3", "mp3-bare", "mp2", "m4a", "m4a-faststart", "webm"])
def test_what_stands_behind_the_end_is_no_damage(kind: str, behind: bytes) -> None:
    whole = recording(kind)
    wave = decode(whole + behind)
    assert wave.flags == ()
    assert wave.duration == pytest.approx(decode(whole).duration, abs=0.1)


def test_a_download_that_ends_in_zeros_is_damaged() -> None:
    whole = recording("mp3", 4.0)
    half = whole[: len(whole) // 2] + b"\0" * 100_000
    assert decode(half).flags == ("truncated",)


class Failing(io.BytesIO):
    """A disk that fails, or a user who interrupts, after `good` bytes."""

    def __init__(self, data: bytes, good: int, failure: BaseException) -> None:
        super().__init__(data)
        self._left, self._failure = good, failure

    def read(self, n: int | None = -1) -> bytes:
        data = super().read(n)
        self._left -= len(data)
        if self._left < 0:
            raise self._failure
        return data


@pytest.mark.parametrize("kind", ["wav16", "flac", "mp3", "ogg", "m4a", "webm"])
@pytest.mark.parametrize("good", [0, 30_000])
def test_a_file_that_fails_while_it_is_read(
    kind: str, good: int, capfd: pytest.CaptureFixture[str]
) -> None:
    data = recording(kind, 8.0)
    with pytest.raises(AudioError, match=r"it cannot be read \(Input/output error\)"):
        decode(Failing(data, good, OSError(5, "Input/output error")))
    with pytest.raises(KeyboardInterrupt):
        decode(Failing(data, good, KeyboardInterrupt()))
    assert capfd.readouterr() == ("", "")


def test_files_that_are_not_open_for_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"plain text")
    with path.open() as file:
        assert "it cannot be read" in refusal(file).reason  # type: ignore[arg-type]
    assert "closed" in refusal(file).reason  # type: ignore[arg-type]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_no_file_stays_open(tmp_path: Path) -> None:
    paths = []
    for kind in ("wav16", "flac", "mp3", "webm"):
        for ending, data in (("", recording(kind)), (".cut", recording(kind)[:300])):
            paths.append(tmp_path / f"{kind}{ending}")
            paths[-1].write_bytes(data)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for path in paths:
        try:
            decode(path)
            next(iter(stream(path, block_s=0.1)))
            decode(path, max_duration_s=0.5)
        except AudioError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_threads_get_what_one_thread_gets() -> None:
    kinds = ("wav24", "flac", "ogg", "opus", "mp3", "m4a", "webm", "wma")
    alone = {kind: decode(recording(kind)).samples for kind in kinds}
    with ThreadPoolExecutor(8) as pool:
        jobs = [(kind, pool.submit(decode, recording(kind))) for kind in kinds * 3]
        for kind, job in jobs:
            np.testing.assert_array_equal(job.result().samples, alone[kind])


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, removed, repeated or cut off, often in the header."""
    out = bytearray(data)
    region = int(rng.choice([64, 512, len(data)]))
    for _ in range(int(rng.choice([1, 5, 50]))):
        i = int(rng.integers(min(region, len(out))))
        match int(rng.integers(6)):
            case 0 | 1 | 2:
                out[i] = rng.integers(256)
            case 3:
                out[i : i + 4] = rng.choice([b"\xff" * 4, b"\0\0\0\1", b"\x7f\xff\xff\xff"])
            case 4:
                del out[i : i + int(rng.integers(1, 100))]
            case _:
                out[i:i] = out[i // 2 : i // 2 + int(rng.integers(1, 100))]
        out = out or bytearray(b"x")
    return bytes(out)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_give_a_sound_or_an_audio_error(
    kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(list(kind.encode()))
    data = recording(kind, 0.5)
    for _ in range(15):
        try:
            wave = decode(mutated(data, rng), max_duration_s=60.0)
        except AudioError:
            continue
        assert len(wave.samples)
        assert np.isfinite(wave.samples).all()
    assert capfd.readouterr() == ("", "")
