"""Any recording to a Waveform: whole, a section of it, or in blocks of bounded memory.

wav (8 to 32 bit, float), aiff, au, caf, w64 and flac are read by libsndfile, which seeks; mp3, ogg
(Vorbis, Opus), m4a/aac, webm, wma and what else FFmpeg knows by PyAV, which decodes and drops what
lies before `start`. Downmix to mono is the mean of the channels; resampling is soxr's HQ.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.chain import ChainReader
from genrescope.audio.ffmpeg import AvReader
from genrescope.audio.mixing import MAX_STEREO_SR, conform, to_mono, to_stereo
from genrescope.audio.mpeg import is_free_format
from genrescope.audio.ogg import links, rate_and_channels
from genrescope.audio.reader import Block, Reader
from genrescope.audio.section import LOUDEST, Section, pieces
from genrescope.audio.sndfile import SndfileReader, is_sndfile
from genrescope.audio.source import Input, ShouldStop, Source, open_input
from genrescope.audio.tags import without_tags
from genrescope.audio.waveform import Waveform

__all__ = [
    "AUDIO_SUFFIXES",
    "LOUDEST",
    "Source",
    "Stream",
    "decode",
    "decode_channels",
    "stream",
]

# What a walk through a folder takes; a file named in person is tried whatever its ending.
AUDIO_SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
        *(".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".m4b", ".mp4", ".aac"),
        *(".webm", ".weba", ".mka", ".wma", ".ac3", ".amr", ".ape", ".mpc", ".tta", ".wv"),
        *(".dsf", ".dff", ".eac3", ".mpga", ".mpa", ".m4r", ".3gp", ".3ga", ".3g2", ".spx", ".ra"),
        *(".rm", ".mkv", ".mov", ".avi", ".ogv", ".ogx", ".m4v", ".mpg", ".mpeg", ".vob", ".wmv"),
        *(".asf", ".flv", ".f4v", ".f4a", ".m2ts", ".mts"),
    }
)


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
    section = Section(sr, start, duration, max_duration_s)
    flags: set[str] = set()
    blocks = list(_mono(source, section, name, flags))
    samples = np.concatenate([p.samples for p in blocks]) if len(blocks) > 1 else blocks[0].samples
    return Waveform(samples, blocks[0].sr, tuple(sorted(flags)))


def stream(
    source: Source,
    *,
    sr: int | None = 22_050,
    block_s: float = 30.0,
    start: float = 0.0,
    duration: float | None = None,
    max_duration_s: float | None = None,
    name: str | None = None,
    should_stop: ShouldStop | None = None,
) -> Stream:
    """Decode in blocks of `block_s` seconds, in memory that does not grow with the recording.

    The blocks concatenate to what `decode` returns for the same arguments, sample for sample.
    Nothing is opened until the iteration starts; errors are `decode`'s and may come midway.

    Args:
        should_stop: asked wherever bytes are read, and between blocks; AudioStoppedError once it
            says yes. So a deadline holds for a file that gives a decoder much work and no sound.
    """
    if not block_s > 0:
        raise ValueError(f"block_s must be positive, not {block_s}")
    section = Section(sr, start, duration, max_duration_s)
    return Stream(source, section, block_s, name, should_stop)


def decode_channels(
    source: Source,
    *,
    max_duration_s: float | None = None,
    name: str | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Decode the whole recording for loudspeakers: `to_stereo`, at its own rate or 48 kHz.

    Mixed and resampled on the way, since a small file may hold 32 channels at 768 kHz.

    Returns:
        samples float32 (n_samples, 1 or 2) and the sample rate in Hz.

    Raises:
        AudioError, AudioTooLongError: as `decode`.
        AudioStoppedError: `should_stop` said yes; see `stream`.
    """
    with open_input(source, name, should_stop) as file, closing(_open_reader(file)) as reader:
        sr = min(reader.sr, MAX_STEREO_SR)
        section = Section(sr, 0.0, None, max_duration_s)

        def mix(block: Block) -> Block:
            return to_stereo(conform(block, reader.n_channels))

        return np.concatenate(list(pieces(file, reader, section, mix))), sr


class Stream:
    """Blocks of a recording, decoded while they are iterated over.

    Attributes:
        flags: what decoding noticed so far; complete after the last block.
    """

    def __init__(
        self,
        source: Source,
        section: Section,
        block_s: float,
        name: str | None,
        should_stop: ShouldStop | None,
    ) -> None:
        self.flags: tuple[str, ...] = ()
        self._source = source
        self._section = section
        self._block_s = block_s
        self._name = name
        self._should_stop = should_stop

    def __iter__(self) -> Generator[Waveform, None, None]:
        self.flags = ()
        flags: set[str] = set()
        mono = _mono(self._source, self._section, self._name, flags, self._should_stop)
        with closing(mono):
            yield from _regrouped(mono, self._block_s)
        self.flags = tuple(sorted(flags))


def _mono(
    source: Source,
    section: Section,
    name: str | None,
    flags: set[str],
    should_stop: ShouldStop | None = None,
) -> Generator[Waveform, None, None]:
    with open_input(source, name, should_stop) as file, closing(_open_reader(file)) as reader:
        sr = section.sr or reader.sr
        for samples in pieces(file, reader, section, to_mono):
            yield Waveform(samples, sr)
        if reader.truncated:
            flags.add("truncated")


def _open_reader(file: Input) -> Reader:
    """The faster reader that can open `file`.

    Raises:
        AudioError: it is no sound that can be decoded, or its channels or rate are absurd.
    """
    file = without_tags(file)
    head = file.peek(0, 32)
    if is_sndfile(head) or is_free_format(file):  # such mp3 FFmpeg does not read at all
        import soundfile

        try:
            return SndfileReader(file)
        except soundfile.SoundFileError:
            file.check()
    if head[:4] == b"OggS" and len(chain := links(file)) > 1:
        sr, n_channels = rate_and_channels(chain)
        return ChainReader(chain, sr=sr, n_channels=n_channels)
    return AvReader(file)


def _regrouped(blocks: Iterable[Waveform], block_s: float) -> Iterator[Waveform]:
    """The same samples in blocks of `block_s`, the last one shorter."""
    held: list[NDArray[np.float32]] = []
    n_held, sr = 0, 0
    for piece in blocks:
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
