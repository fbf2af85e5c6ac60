"""Any recording to a Waveform: whole, a section of it, or in blocks of bounded memory.

wav (8 to 32 bit, float), aiff, au, caf, w64 and flac are read by libsndfile, which seeks; mp3, ogg
(Vorbis, Opus), m4a/aac, webm, wma and what else FFmpeg knows by PyAV, which decodes and drops what
lies before `start`. Downmix to mono is the mean of the channels; resampling is soxr's HQ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import AudioError, AudioTooLongError
from genrescope.signal._ffmpeg import AvReader
from genrescope.signal._input import Input, Source, open_input
from genrescope.signal._reader import SR_RANGE_HZ, Block, Reader
from genrescope.signal._sndfile import SndfileReader, is_sndfile
from genrescope.signal.waveform import Waveform

__all__ = [
    "AUDIO_SUFFIXES",
    "LOUDEST",
    "MAX_STEREO_SR",
    "Source",
    "Stream",
    "decode",
    "decode_channels",
    "stream",
    "to_stereo",
]

# What a walk through a folder takes; a file named in person is tried whatever its ending.
AUDIO_SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
        *(".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".m4b", ".mp4", ".aac"),
        *(".webm", ".weba", ".mka", ".wma", ".ac3", ".amr", ".ape", ".mpc", ".tta", ".wv"),
        *(".dsf", ".eac3", ".mpga", ".mpa", ".m4r", ".3gp", ".spx", ".ra"),
    }
)

# 240 dB over full scale; the square of much more is infinite in float32.
LOUDEST = 1e12

MAX_STEREO_SR = 48_000
_FROM_5_1 = np.array([[1, 0, 0.707, 0, 0.707, 0], [0, 1, 0.707, 0, 0, 0.707]], dtype=np.float32)

# Output samples by which a section begins early, so that soxr's filter has its past.
_LEAD_LENGTH = 512


def decode(
    source: Source,
    *,
    sr: int | None = 22_050,
    start: float = 0.0,
    duration: float | None = None,
    max_duration_s: float | None = None,
    name: str | None = None,
) -> Waveform:
    """Decode a recording, or a section of it, to mono.

    Args:
        source: path, the file's bytes, or a binary file object (read from its beginning,
            left open; read whole into memory where it cannot seek).
        sr: sample rate of the result in Hz; None keeps the file's.
        start: beginning of the section in s; the result equals the same slice of the whole.
        duration: length of the section in s, or None for the rest; less is returned, without a
            flag, where the recording ends before it.
        max_duration_s: limit on what is decoded.
        name: what errors call the recording; by default its path.

    Returns:
        samples float32 (n_samples,); flag ``truncated`` where frames were broken or the file is
        cut. Values beyond [-1, 1] in float files are kept.

    Raises:
        AudioError: it is missing or unreadable, holds no sound, no samples, NaN or infinity,
            or samples no sound has (beyond 1e12).
        AudioTooLongError: it is longer than `max_duration_s`; raised by the header where that
            says so, otherwise as soon as so much has been decoded.
        ValueError: a rate, start or duration that makes no sense.
    """
    section = _Section(sr, start, duration, max_duration_s)
    flags: set[str] = set()
    pieces = list(_mono(source, section, name, flags))
    samples = np.concatenate([p.samples for p in pieces]) if len(pieces) > 1 else pieces[0].samples
    return Waveform(samples, pieces[0].sr, tuple(sorted(flags)))


def stream(
    source: Source,
    *,
    sr: int | None = 22_050,
    block_s: float = 30.0,
    start: float = 0.0,
    duration: float | None = None,
    max_duration_s: float | None = None,
    name: str | None = None,
) -> Stream:
    """Decode in blocks of `block_s` seconds, in memory that does not grow with the recording.

    The blocks concatenate to what `decode` returns for the same arguments, sample for sample.
    Nothing is opened until the iteration starts; errors are `decode`'s and may come midway.
    """
    if not block_s > 0:
        raise ValueError(f"block_s must be positive, not {block_s}")
    return Stream(source, _Section(sr, start, duration, max_duration_s), block_s, name)


def decode_channels(
    source: Source, *, max_duration_s: float | None = None, name: str | None = None
) -> tuple[NDArray[np.float32], int]:
    """Decode the whole recording for loudspeakers: `to_stereo`, at its own rate or 48 kHz.

    Mixed and resampled on the way, since a small file may hold 32 channels at 768 kHz.

    Returns:
        samples float32 (n_samples, 1 or 2) and the sample rate in Hz.

    Raises:
        AudioError, AudioTooLongError: as `decode`.
    """
    with open_input(source, name) as file, closing(_open_reader(file)) as reader:
        sr = min(reader.sr, MAX_STEREO_SR)
        section = _Section(sr, 0.0, None, max_duration_s)

        def mix(block: Block) -> Block:
            return to_stereo(_conform(block, reader.n_channels))

        return np.concatenate(list(_pieces(file, reader, section, mix))), sr


def to_stereo(channels: Block) -> Block:
    """Two channels as they are, 5.1 as two, and any other number as one, their mean.

    Args:
        channels: float32 (n_samples, n_channels); six are front left, front right, centre, low
            frequencies, left and right surround (ITU-R BS.775).
    """
    if channels.shape[1] == 2:
        return channels
    if channels.shape[1] == 6:
        return np.stack([(channels * side).sum(axis=1) for side in _FROM_5_1], axis=1)
    return _mean(channels)[:, None]


class Stream:
    """Blocks of a recording, decoded while they are iterated over.

    Attributes:
        flags: what decoding noticed so far; complete after the last block.
    """

    def __init__(self, source: Source, section: _Section, block_s: float, name: str | None) -> None:
        self.flags: tuple[str, ...] = ()
        self._source = source
        self._section = section
        self._block_s = block_s
        self._name = name

    def __iter__(self) -> Iterator[Waveform]:
        self.flags = ()
        flags: set[str] = set()
        with closing(_mono(self._source, self._section, self._name, flags)) as pieces:
            yield from _regrouped(pieces, self._block_s)
        self.flags = tuple(sorted(flags))


@dataclass(frozen=True)
class _Section:
    """What is asked of a recording; see `decode`."""

    sr: int | None
    start: float
    duration: float | None
    max_duration_s: float | None

    def __post_init__(self) -> None:
        low, high = SR_RANGE_HZ
        if self.sr is not None and not low <= self.sr <= high:
            raise ValueError(f"sr must be within {low} and {high} Hz, not {self.sr}")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise ValueError(f"start must be a time in s, 0 or later, not {self.start}")
        for option in ("duration", "max_duration_s"):
            value = getattr(self, option)
            if value is not None and not value > 0:
                raise ValueError(f"{option} must be positive, not {value}")


def _mono(
    source: Source, section: _Section, name: str | None, flags: set[str]
) -> Generator[Waveform, None, None]:
    with open_input(source, name) as file, closing(_open_reader(file)) as reader:
        sr = section.sr or reader.sr
        for samples in _pieces(file, reader, section, _mean):
            yield Waveform(samples, sr)
        if reader.truncated:
            flags.add("truncated")


def _open_reader(file: Input) -> Reader:
    """The faster reader that can open `file`.

    Raises:
        AudioError: it is no sound that can be decoded, or its channels or rate are absurd.
    """
    if is_sndfile(file.peek(0, 16)):
        import soundfile

        try:
            return SndfileReader(file)
        except soundfile.SoundFileError:
            file.check()
    return AvReader(file)


def _pieces(
    file: Input, reader: Reader, section: _Section, mix: Callable[[Block], NDArray[np.float32]]
) -> Iterator[NDArray[np.float32]]:
    """Mixed, resampled, finite pieces of the section, within its limits."""
    sr = section.sr or reader.sr
    first = round(section.start * sr)
    wanted = _end(section, sr) - first
    _refuse_long_header(file, reader, section)
    native_start, skip = _anchor(first, reader.sr, sr)
    done = 0
    mixed = (mix(block) for block in reader.blocks(native_start))
    for piece in _resampled(mixed, reader.sr, sr):
        file.check()
        piece, skip = piece[skip:], max(0, skip - len(piece))
        piece = piece[: int(min(len(piece), wanted - done))]
        done += len(piece)
        if section.max_duration_s is not None and done > section.max_duration_s * sr:
            raise _too_long(file, section.max_duration_s)
        if len(piece):
            _refuse_no_sound(file, float(piece.min()), float(piece.max()))
            yield piece
        if done >= wanted:
            return
    file.check()
    if not done and first:
        raise AudioError(
            file.name, f"it ends before {section.start:g} s", "Choose an earlier start."
        )
    if not done:
        raise AudioError(file.name, "it holds no samples", "Record or export it again.")


def _refuse_no_sound(file: Input, low: float, high: float) -> None:
    if low >= -LOUDEST and high <= LOUDEST:
        return
    what = "samples far beyond full scale"
    if not (math.isfinite(low) and math.isfinite(high)):
        what = "NaN or infinite samples"
    raise AudioError(file.name, f"it holds {what}", "Export it again as integer samples.")


def _end(section: _Section, sr: int) -> float:
    if section.duration is None or math.isinf(section.duration):
        return math.inf
    return round((section.start + section.duration) * sr)


def _refuse_long_header(file: Input, reader: Reader, section: _Section) -> None:
    limit = section.max_duration_s
    if limit is None or reader.n_samples is None:
        return
    asked = math.inf if section.duration is None else section.duration
    if min(reader.n_samples / reader.sr - section.start, asked) > limit:
        raise _too_long(file, limit)


def _too_long(file: Input, limit_s: float) -> AudioTooLongError:
    limit = f"{limit_s / 60:g} minutes" if limit_s >= 120 else f"{limit_s:g} seconds"
    return AudioTooLongError(file.name, f"it is longer than {limit}", f"Cut it to at most {limit}.")


def _anchor(first: int, sr_in: int, sr_out: int) -> tuple[int, int]:
    """Where to begin reading so that a section falls on the samples of the whole.

    Returns:
        a sample of the file that coincides in time with a sample of the resampled whole, a little
        before its sample `first`, and the number of resampled samples from there to `first`.
    """
    if sr_in == sr_out:
        return first, 0
    common = math.gcd(sr_in, sr_out)
    step_in, step_out = sr_in // common, sr_out // common
    lead = math.ceil(_LEAD_LENGTH * max(1.0, sr_out / sr_in))
    steps = max(0, first - lead) // step_out
    return steps * step_in, first - steps * step_out


def _resampled(
    blocks: Iterable[NDArray[np.float32]], sr_in: int, sr_out: int
) -> Iterator[NDArray[np.float32]]:
    if sr_in == sr_out:
        yield from blocks
        return
    import soxr

    resampler: soxr.ResampleStream | None = None
    for block in blocks:
        if resampler is None:
            n_channels = math.prod(block.shape[1:])
            resampler = soxr.ResampleStream(sr_in, sr_out, n_channels, "float32", quality="HQ")
            end = block[:0]
        yield resampler.resample_chunk(block)
    if resampler is not None:
        yield resampler.resample_chunk(end, last=True)


def _mean(block: Block) -> NDArray[np.float32]:
    """Mean of the channels; as sums of columns three times faster than ``mean(axis=1)``."""
    n_channels = block.shape[1]
    if n_channels == 1:
        return block[:, 0]
    with np.errstate(over="ignore", invalid="ignore"):  # not finite: refused by the caller
        mixed = block[:, 0] + block[:, 1]
        for channel in range(2, n_channels):
            mixed += block[:, channel]
    mixed *= np.float32(1 / n_channels)
    return mixed


def _conform(block: Block, n_channels: int) -> Block:
    """The block with `n_channels`; where a damaged file changes their number, its mean in each."""
    if block.shape[1] == n_channels:
        return block
    return np.repeat(_mean(block)[:, None], n_channels, axis=1)


def _regrouped(pieces: Iterable[Waveform], block_s: float) -> Iterator[Waveform]:
    """The same samples in blocks of `block_s`, the last one shorter."""
    held: list[NDArray[np.float32]] = []
    n_held, sr = 0, 0
    for piece in pieces:
        sr = piece.sr
        block_length = max(1, round(block_s * sr))
        samples = piece.samples
        while n_held + len(samples) >= block_length:
            cut = block_length - n_held
            yield Waveform(np.concatenate([*held, samples[:cut]]), sr)
            held, n_held, samples = [], 0, samples[cut:]
        if len(samples):
            held.append(samples)
            n_held += len(samples)
    if n_held:
        yield Waveform(np.concatenate(held), sr)
