"""A chain of recordings in one file, read one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from genrescope.audio.ffmpeg import AvReader
from genrescope.audio.reader import Block, check_limits
from genrescope.audio.resampling import resampled
from genrescope.audio.source import Input
from genrescope.errors import AudioError


class ChainReader:
    """The links of a chain as one recording, at the highest rate and with the most channels.

    Args:
        links: at least one.
        sr: highest rate in Hz; None is that of the first link that can be decoded.
        n_channels: the most; None as well.

    Raises:
        AudioError: none of the links can be decoded.
    """

    n_samples: int | None = None

    def __init__(self, links: list[Input], *, sr: int | None, n_channels: int | None) -> None:
        self.truncated = False
        self._links = iter(links)
        self._reader = self._next_reader()
        if self._reader is None:
            raise self._refusal
        self.sr = sr or self._reader.sr
        self.n_channels = n_channels or self._reader.n_channels
        self.n_bits = self._reader.n_bits
        try:
            check_limits(links[0], self.n_channels, self.sr)
        except AudioError:
            self.close()
            raise

    def blocks(self, start: int = 0) -> Iterator[Block]:
        position = 0
        while self._reader is not None:
            with closing(self._reader) as reader:
                for block in resampled(reader.blocks(), reader.sr, self.sr):
                    if position + len(block) > start:
                        yield block[max(0, start - position) :]
                    position += len(block)
                self.truncated |= reader.truncated
            self._reader = self._next_reader()

    def _next_reader(self) -> AvReader | None:
        for link in self._links:
            try:
                return AvReader(link)
            except AudioError as error:
                link.check()
                self._refusal = error
                self.truncated = True
        return None

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
