"""PCM and FLAC by libsndfile.

It is the faster library for PCM (6 times) and FLAC, and seeks to the sample. For mp3, Vorbis and
Opus FFmpeg is as fast or faster, and keeps going after broken frames, where the mpg123 inside
libsndfile gives up and writes to stderr.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np

from genrescope.audio.ffmpeg import AvReader
from genrescope.audio.reader import BLOCK_LENGTH, Block, check_limits
from genrescope.audio.source import Input
from genrescope.audio.truncation import pcm_is_cut
from genrescope.errors import AudioError

_WAVE64 = bytes.fromhex("72696666 2e91cf11 a5d628db 04c10000")

_MPEG_IN_WAV = (b"\x50\0", b"\x55\0")


def is_sndfile(head: bytes) -> bool:
    """Whether the first 32 bytes are those of a format that libsndfile is the better reader of.

    Others that it knows are rare and little tested there, so damaged files do not get that far.
    """
    if head[:4] in (b"RIFF", b"RIFX", b"RF64"):
        is_mpeg = head[12:16] == b"fmt " and head[20:22] in _MPEG_IN_WAV
        return head[8:12] == b"WAVE" and not is_mpeg
    if head[:4] == b"FORM":
        return head[8:12] in (b"AIFF", b"AIFC")
    return head[:4] in (b"fLaC", b".snd", b"caff") or head[:16] == _WAVE64


class _View:
    """A file under a name without an ending: soundfile takes ``*.raw`` for samples alone."""

    def __init__(self, file: Input) -> None:
        self.name = f"{file.name}."
        self.read, self.readinto = file.read, file.readinto
        self.seek, self.tell = file.seek, file.tell


class SndfileReader:
    """PCM and FLAC by libsndfile; seeks to the sample.

    Raises:
        soundfile.SoundFileError: libsndfile cannot read it, or finds no samples in it.
        AudioError: its channels or rate are absurd.
    """

    def __init__(self, file: Input) -> None:
        import soundfile

        file.seek(0)
        self.truncated = False
        self._file = file
        self._sound = soundfile.SoundFile(_View(file))
        self.sr: int = self._sound.samplerate
        self.n_channels: int = self._sound.channels
        frames = int(self._sound.frames)
        self.n_samples: int | None = frames
        self.n_bits = 32 if self._sound.subtype == "PCM_32" else 0
        try:
            # Encoders that write to a pipe cannot go back to fill in the length: wav files are
            # then empty for libsndfile, FLAC endless. FFmpeg reads both.
            if not 0 < frames < 1 << 62:
                raise soundfile.SoundFileError("the header gives no length")
            # It misjudges the length of mp3 in wav; alone, mp3 comes here for its free format.
            if self._sound.subtype.startswith("MPEG") and self._sound.format != "MP3":
                raise soundfile.SoundFileError("not PCM")
            check_limits(file, self.n_channels, self.sr)
        except Exception:
            self.close()
            raise

    def blocks(self, start: int = 0) -> Iterator[Block]:
        import soundfile

        n_samples = self.n_samples or 0
        if start >= n_samples:
            return
        position = start
        try:
            if start:
                self._sound.seek(start)
            while True:
                block = self._read()
                if not len(block):
                    break
                position += len(block)
                yield block
        except soundfile.SoundFileError:
            self.truncated = True
            yield from self._rest(position)
            return
        self.truncated = position < n_samples or pcm_is_cut(self._sound.extra_info)

    def _read(self) -> Block:
        if self._sound.subtype != "PCM_16" or self._sound.format == "FLAC":
            block: Block = self._sound.read(BLOCK_LENGTH, dtype="float32", always_2d=True)
            return block
        # The same numbers in a quarter of the time: libsndfile reads 16 bits at once, but floats
        # 8,192 bytes at a time.
        block = self._sound.read(BLOCK_LENGTH, dtype="int16", always_2d=True).astype(np.float32)
        block *= np.float32(2**-15)
        return block

    def _rest(self, position: int) -> Iterator[Block]:
        """What FFmpeg still decodes after libsndfile gave up at `position`."""
        try:
            reader = AvReader(self._file)
        except AudioError:
            return
        with closing(reader):
            if reader.sr == self.sr:
                yield from reader.blocks(position)

    def close(self) -> None:
        self._sound.close()
