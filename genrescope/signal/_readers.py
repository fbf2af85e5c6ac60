"""Blocks of samples from a file, at its own rate: libsndfile for PCM and FLAC, FFmpeg for the rest.

libsndfile is the faster of the two for PCM (6 times) and FLAC, and seeks to the sample. For mp3,
Vorbis and Opus FFmpeg is as fast or faster, and keeps going after broken frames, where the mpg123
inside libsndfile gives up and writes to stderr.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import AudioError
from genrescope.signal._completeness import container_is_cut, has_frame_count, pcm_is_cut
from genrescope.signal._input import Input

if TYPE_CHECKING:
    from av.audio.fifo import AudioFifo
    from av.audio.frame import AudioFrame

Block = NDArray[np.float32]  # (n_samples, n_channels)

MAX_CHANNELS = 32
SR_RANGE_HZ = (1_000, 768_000)
_BLOCK_LENGTH = 1 << 16  # samples a channel: 1.5 s at 44.1 kHz

FORMATS = "Convert it to WAV, FLAC, MP3, Ogg, Opus, M4A, WebM or WMA."
_DAMAGED = "Record, export or download it again, or convert it to WAV or FLAC."


class Reader(Protocol):
    """An open recording.

    Attributes:
        sr: sample rate in Hz.
        n_channels: channels of the first block; later ones may differ in a damaged file.
        n_samples: samples a channel by the header, or None where it does not say.
        truncated: frames were broken or the file is cut, as far as it was read.
    """

    sr: int
    n_channels: int
    n_samples: int | None
    truncated: bool

    def blocks(self, start: int = 0) -> Iterator[Block]:
        """Blocks float32 (n, n_channels) from sample `start` on; to be called once."""
        ...

    def close(self) -> None: ...


def open_reader(file: Input) -> Reader:
    """The faster reader that can open `file`.

    Raises:
        AudioError: it is no sound that can be decoded, or its channels or rate are absurd.
    """
    if _is_sndfile(file.peek(0, 16)):
        import soundfile

        try:
            return SndfileReader(file)
        except soundfile.SoundFileError:
            file.check()
    return AvReader(file)


def _is_sndfile(head: bytes) -> bool:
    if head[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return head[8:12] == b"WAVE"
    if head[:4] == b"FORM":
        return head[8:12] in (b"AIFF", b"AIFC")
    return head[:4] in (b"fLaC", b".snd", b"caff") or head == _WAVE64


_WAVE64 = bytes.fromhex("72696666 2e91cf11 a5d628db 04c10000")


def _check_limits(file: Input, n_channels: int, sr: int) -> None:
    """Refuse what no recording has: it comes from a damaged or hostile header."""
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise AudioError(
            file.name, f"it claims {n_channels} channels; 1 to {MAX_CHANNELS} are read", _DAMAGED
        )
    low, high = SR_RANGE_HZ
    if not low <= sr <= high:
        raise AudioError(
            file.name, f"it claims {sr} samples a second; {low} to {high} are read", _DAMAGED
        )


class SndfileReader:
    """PCM and FLAC by libsndfile; seeks to the sample.

    Raises:
        soundfile.SoundFileError: libsndfile cannot read it, or finds no samples in it.
        AudioError: its channels or rate are absurd.
    """

    truncated = False

    def __init__(self, file: Input) -> None:
        import soundfile

        file.seek(0)
        self._file = file
        self._sound = soundfile.SoundFile(file)
        self.sr: int = self._sound.samplerate
        self.n_channels: int = self._sound.channels
        frames = int(self._sound.frames)
        self.n_samples: int | None = frames
        try:
            # Encoders that write to a pipe cannot go back to fill in the length: wav files are
            # then empty for libsndfile, FLAC endless. FFmpeg reads both.
            if not 0 < frames < 1 << 62:
                raise soundfile.SoundFileError("the header gives no length")
            _check_limits(file, self.n_channels, self.sr)
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
                block = self._sound.read(_BLOCK_LENGTH, dtype="float32", always_2d=True)
                if not len(block):
                    break
                position += len(block)
                yield block
        except soundfile.SoundFileError:
            self.truncated = True
            yield from self._rest(position)
            return
        self.truncated = position < n_samples or pcm_is_cut(self._sound.extra_info)

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


# FFmpeg's names of what is opened; playlists and the like, which fetch other files, stay out.
_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,flac,flv,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "ogg,rm,tta,w64,wav,wv"
)
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
            raise AudioError(name, "its sound is in a coding that cannot be read", FORMATS)
        context.thread_count = 1  # callers decode several files at once
        if context.sample_rate:
            _check_limits(self._file, max(1, context.layout.nb_channels), context.sample_rate)
        self.sr = context.sample_rate
        self._native = self._decoded()
        # The decoder knows rate and channels better than the header (AAC with SBR).
        first = next(self._native, None)
        self._file.check()
        if first is None:
            raise AudioError(name, "it holds no samples that can be decoded", _DAMAGED)
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
        missing = (self.n_samples or 0) - position
        if missing > 0.1 * self.sr + 4096 or container_is_cut(
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
                    _check_limits(self._file, shape[1], shape[0])
                    if kind is None:
                        self.sr = shape[0]
                    yield from self._drained(fifo)
                    fifo, kind = AudioFifo(), shape
                frame.pts = None  # gaps in time are closed up
                fifo.write(frame)
                if fifo.samples >= _BLOCK_LENGTH:
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
        while True:
            try:
                packet = next(packets, None)
                if packet is None:  # also after an error of the demuxer itself
                    return
                self.truncated |= packet.is_corrupt
                if packet.size:
                    self._last_packet = packet
                frames = self._stream.decode(packet)
            except errors:
                self.truncated = True
                continue
            for frame in frames:
                self.truncated |= frame.is_corrupt
                yield frame

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
        return "its index is missing, as when a recording or download stops half-way", _DAMAGED
    if head.startswith(_SIGNATURES):
        return "it is damaged", _DAMAGED
    return "it is in no sound format that can be read", FORMATS
