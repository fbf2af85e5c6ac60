"""Every other format by FFmpeg, by way of PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.reader import BLOCK_LENGTH, DAMAGED, Block, check_limits
from genrescope.audio.source import Input
from genrescope.audio.truncation import (
    container_is_cut,
    has_frame_count,
    mpeg_frame_length,
)
from genrescope.errors import AudioError

if TYPE_CHECKING:
    from av.audio.fifo import AudioFifo
    from av.audio.frame import AudioFrame
    from av.packet import Packet

_FORMATS = "Convert it to WAV, FLAC, MP3, Ogg, Opus, M4A, WebM or WMA."

# FFmpeg's names of what is opened; playlists and the like, which fetch other files, stay out.
_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,flac,flv,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "ogg,rm,tta,w64,wav,wv"
)
_MOST_BEHIND = 2**16  # bytes of padding or tags; more is a download that was given its size first
# Their length is a guess from the bit rate (mp3: unless a Xing frame gives it).
_NO_LENGTH = {"aac", "ac3", "amr", "eac3", "mp3", "mpeg", "mpegts"}


class AvReader:
    """Any codec of FFmpeg. A later start is reached by decoding and dropping what lies before.

    Time stamps of compressed formats are too coarse to seek to the sample (1 ms in WebM and WMA,
    a page in Ogg), so the way to `start` costs what decoding costs.

    Raises:
        AudioError: no sound can be decoded from it, or its channels or rate are absurd.
    """

    truncated = False

    def __init__(self, file: Input) -> None:
        import av

        file.seek(0)
        self._file = file
        try:
            self._container = av.open(
                cast("Any", file),  # by protocol; PyAV asks for BinaryIO in full
                "r",
                options={"format_whitelist": _DEMUXERS},
                metadata_errors="replace",
            )
        except _av_errors() as failure:
            file.check()
            raise AudioError(file.name, *_why_unreadable(file)) from failure
        try:
            self._open_stream()
        except BaseException:
            self.close()
            raise

    def _open_stream(self) -> None:
        name = self._file.name
        streams = self._container.streams
        if not streams.audio:
            raise AudioError(name, "it holds no sound", "Choose a recording with an audio track.")
        best = streams.best("audio")
        self._stream = next((s for s in streams.audio if s is best), streams.audio[0])
        context = self._stream.codec_context
        if context is None:
            raise AudioError(name, "its sound is in a coding that cannot be read", _FORMATS)
        context.thread_count = 1  # callers decode several files at once
        if context.sample_rate:
            check_limits(self._file, max(1, context.layout.nb_channels), context.sample_rate)
        self.sr = context.sample_rate
        self._behind = 0  # bytes
        self._native = self._decoded()
        # The decoder knows rate and channels better than the header (AAC with SBR).
        first = next(self._native, None)
        self._file.check()
        if first is None:
            raise AudioError(name, "it holds no samples that can be decoded", DAMAGED)
        self._first = first
        self.n_channels = first.shape[1]
        self.n_samples = self._header_length()

    def blocks(self, start: int = 0) -> Iterator[Block]:
        position = 0
        block: Block | None = self._first
        del self._first
        while block is not None:
            if position + len(block) > start:
                yield block[max(0, start - position) :]
            position += len(block)
            block = next(self._native, None)
        # Decoders pad or trim an edge; a lost page or frame of consequence is longer.
        if self._behind:  # FFmpeg then takes the length from the size, with what is behind
            lacks = self._behind > _MOST_BEHIND
        else:
            lacks = (self.n_samples or 0) - position > 0.1 * self.sr + 4096
        if lacks or container_is_cut(
            self._file, self._container.format.name, last_packet=bytes(self._last_packet)
        ):
            self.truncated = True

    def _decoded(self) -> Iterator[Block]:
        """Blocks from the frames of the stream, all at `self.sr`, which the first frame sets."""
        from av.audio.fifo import AudioFifo

        fifo, kind = AudioFifo(), None
        try:
            for frame in self._frames():
                shape = (frame.sample_rate, frame.layout.nb_channels, frame.format.name)
                if shape != kind:
                    check_limits(self._file, shape[1], shape[0])
                    if kind is None:
                        self.sr = shape[0]
                    yield from self._drained(fifo)
                    fifo, kind = AudioFifo(), shape
                frame.pts = None  # gaps in time are closed up
                fifo.write(frame)
                if fifo.samples >= BLOCK_LENGTH:
                    yield from self._drained(fifo)
            yield from self._drained(fifo)
        except _av_errors():
            self.truncated = True

    def _drained(self, fifo: AudioFifo) -> Iterator[Block]:
        frame = fifo.read() if fifo.samples else None
        if frame is None:
            return
        block = _to_float(frame)
        if frame.sample_rate != self.sr:  # chained or damaged files may change it midway
            import soxr

            block = soxr.resample(np.ascontiguousarray(block), frame.sample_rate, self.sr)
        yield block

    def _frames(self) -> Iterator[AudioFrame]:
        """Frames of sound; broken packets are skipped and remembered in `truncated`."""
        errors = _av_errors()
        packets = self._container.demux(self._stream)
        packet = None
        while True:
            try:
                packet = next(packets, None)
                if packet is None:  # also after an error of the demuxer itself
                    return
                self.truncated |= packet.is_corrupt
                frames = self._stream.decode(packet)
            except errors:
                if packet is not None and self._is_behind_the_end(packet):
                    self._behind += packet.size
                else:
                    self.truncated = True
                continue
            if packet.size:
                self._last_packet = packet
                if self._behind and not self._is_behind_the_end(packet):
                    self.truncated = True  # so it was no end
            for frame in frames:
                self.truncated |= frame.is_corrupt
                yield frame

    def _is_behind_the_end(self, packet: Packet[Any]) -> bool:
        """Whether it may be padding or a tag behind the last frame, which the parser hands on."""
        is_mpeg = self._container.format.name == "mp3"
        return is_mpeg and packet.size > 0 and not mpeg_frame_length(bytes(packet))

    def _header_length(self) -> int | None:
        container, stream = self._container, self._stream
        name = container.format.name
        if name in _NO_LENGTH and not (name == "mp3" and has_frame_count(self._file)):
            return None
        if stream.duration is not None and stream.time_base is not None:
            return int(stream.duration * stream.time_base * self.sr)
        # The container's own length is that of its longest stream, maybe pictures.
        if container.duration is not None and len(container.streams) == 1:
            return int(container.duration * self.sr // 1_000_000)
        return None

    def close(self) -> None:
        self._container.close()


def _av_errors() -> tuple[type[Exception], ...]:
    """What PyAV raises on bad input: FFmpeg's own errors, and its wrapper's complaints."""
    import av

    return (av.FFmpegError, ArithmeticError, OSError, RuntimeError, ValueError)


def _to_float(frame: AudioFrame) -> Block:
    """Samples of a frame, float32 (n_samples, n_channels) in [-1, 1]."""
    n_channels = frame.layout.nb_channels
    if frame.format.is_planar and n_channels >= 8:
        # PyAV looks for a null after the last of FFmpeg's 8 plane pointers, and crashes.
        from av.audio.resampler import AudioResampler

        (frame,) = AudioResampler(format="flt").resample(frame)
    samples: NDArray[Any] = frame.to_ndarray()  # (n_channels, n), or (1, n * n_channels) if packed
    samples = samples.T if frame.format.is_planar else samples.reshape(-1, n_channels)
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, and is refused
            return samples.astype(np.float32, copy=False)
    full_scale = np.float32(2 ** (8 * samples.dtype.itemsize - 1))
    offset = full_scale if samples.dtype.kind == "u" else np.float32(0)
    return (samples.astype(np.float32) - offset) / full_scale


_SIGNATURES = (
    *(b"RIFF", b"RIFX", b"riff", b"RF64", b"FORM", b".snd", b"fLaC", b"caff", b"OggS", b"ID3"),
    *(b"\x1aE\xdf\xa3", b"0&\xb2u"),  # Matroska and WebM; WMA
)


def _why_unreadable(file: Input) -> tuple[str, str]:
    """Reason and remedy when no reader opens the file."""
    head = file.peek(0, 16)
    if head[4:8] == b"ftyp":
        return "its index is missing, as when a recording or download stops half-way", DAMAGED
    if head.startswith(_SIGNATURES):
        return "it is damaged", DAMAGED
    return "it is in no sound format that can be read", _FORMATS
