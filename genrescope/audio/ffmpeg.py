"""Every other format by FFmpeg, by way of PyAV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from genrescope.audio.encryption import locked_tracks
from genrescope.audio.frames import MAX_FRAME_LENGTH, Kind, frame_blocks
from genrescope.audio.mpeg import frame_length, has_frame_count
from genrescope.audio.reader import DAMAGED, Block, check_limits
from genrescope.audio.source import Input
from genrescope.audio.truncation import container_is_cut, segment_has_size
from genrescope.errors import AudioError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

_FORMATS = "Convert it to WAV, FLAC, MP3, Ogg, Opus, M4A, WebM or WMA."

# FFmpeg's names of what is opened; playlists and the like, which fetch other files, stay out.
_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,flac,flv,iff,matroska,mov,mp3,mpc,mpc8,mpeg,"
    "mpegts,ogg,rm,tta,w64,wav,wv"
)
# Sound alone: the decoders of pictures are much the larger part of what could be attacked.
_DECODERS = (
    "8svx_exp,8svx_fib,aac,aac_fixed,aac_latm,ac3,ac3_fixed,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,"
    "adpcm_swf,adpcm_yamaha,alac,als,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,ape,atrac3,"
    "atrac3plus,cook,dca,dsd_lsbf,dsd_lsbf_planar,dsd_msbf,dsd_msbf_planar,dst,dvaudio,eac3,evrc,"
    "flac,g722,g726,g726le,gsm,gsm_ms,ilbc,libilbc,mace3,mace6,mlp,mp1,mp1float,mp2,mp2float,mp3,"
    "mp3adu,mp3adufloat,mp3float,mp3on4,mp3on4float,mpc7,mpc8,nellymoser,opus,libopus,pcm_alaw,"
    "pcm_bluray,pcm_dvd,pcm_f16le,pcm_f24le,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_lxf,"
    "pcm_mulaw,pcm_s16be,pcm_s16be_planar,pcm_s16le,pcm_s16le_planar,pcm_s24be,pcm_s24le,"
    "pcm_s24le_planar,pcm_s32be,pcm_s32le,pcm_s32le_planar,pcm_s64be,pcm_s64le,pcm_s8,"
    "pcm_s8_planar,pcm_u16be,pcm_u16le,pcm_u24be,pcm_u24le,pcm_u32be,pcm_u32le,pcm_u8,qcelp,qdm2,"
    "qdmc,ralf,real_144,real_288,s302m,sipr,speex,libspeex,truehd,truespeech,tta,vorbis,libvorbis,"
    "wavpack,wmalossless,wmapro,wmav1,wmav2,wmavoice"
)
_KNOWN = frozenset(_DECODERS.split(","))
_MOST_SILENT_PACKETS = 20_000  # broken or empty ones in a row, after which no more are tried
_MOST_BEHIND = 1 << 16  # bytes of padding; more is a download that was given its size first

# Their header gives the length of the sound itself, so what is shorter has lost some.
_OWN_LENGTH = {
    *("aiff", "ape", "au", "caf", "dsf", "flac", "iff", "matroska", "mp3", "mpc", "mpc8", "ogg"),
    *("rm", "tta", "w64", "wav", "wv"),
}
# To FFmpeg their last packet is corrupt where the header leaves the length open.
_UNCODED = {"aiff", "au", "caf", "w64", "wav"}
# Theirs is the time at which it ends, which does not begin at 0 in a part of a longer one.
_END_TIME = {"asf", "matroska", "ogg"}


class AvReader:
    """Any codec of FFmpeg. A later start is reached by decoding and dropping what lies before.

    Time stamps of compressed formats are too coarse to seek to the sample (1 ms in WebM and WMA,
    a page in Ogg), so the way to `start` costs what decoding costs. Of several tracks the best
    one is taken that can be decoded.

    Raises:
        AudioError: no sound can be decoded from it, or its channels or rate are absurd.
    """

    def __init__(self, file: Input) -> None:
        self._file = file
        self._container = open_container(file)
        self._format = self._container.format.name.split(",")[0]
        try:
            self._choose_track()
        except BaseException:
            self.close()
            raise

    def _choose_track(self) -> None:
        error: AudioError | None = None
        for index in self._tracks():
            if error is not None:  # from the beginning again
                self._container.close()
                self._container = open_container(self._file)
            try:
                return self._begin(index)
            except AudioError as failure:
                self._file.check()
                error = error or failure
        assert error is not None
        raise error

    def _tracks(self) -> list[int]:
        """Indices of the tracks that may be decoded, the best first.

        Raises:
            AudioError: there is none.
        """
        name, streams = self._file.name, self._container.streams
        if not streams.audio:
            raise AudioError(name, "it holds no sound", "Choose a recording with an audio track.")
        locked = locked_tracks(self._file, self._container.format.name)
        if len(locked) != len(streams):
            locked = [any(locked)] * len(streams)
        clear = [stream for stream in streams.audio if not locked[stream.index]]
        if not clear:
            remedy = "Choose a recording without copy protection."
            raise AudioError(name, "it is encrypted", remedy)
        known = [s for s in clear if s.codec_context is not None and s.codec_context.name in _KNOWN]
        if not known:
            raise AudioError(name, "its sound is in a coding that cannot be read", _FORMATS)
        best = streams.best("audio")
        known.sort(key=lambda s: (s is best, s.codec_context.bit_rate or 0), reverse=True)
        return [stream.index for stream in known]

    def _begin(self, index: int) -> None:
        """Decode the first block of a track.

        Raises:
            AudioError: nothing can be decoded, or its channels or rate are absurd.
        """
        from av.stream import Discard

        self.truncated = False
        self._behind = 0  # bytes
        self._last_packet: Packet[Any] | None = None
        self._stream = cast("AudioStream", self._container.streams[index])
        for other in self._container.streams:
            if other is not self._stream:
                other.discard = Discard.all
        context = self._stream.codec_context
        context.thread_count = 1  # callers decode several files at once
        # FFmpeg holds what opened the file to its list, and each decoder to its own.
        context.options = {"max_samples": str(MAX_FRAME_LENGTH), "codec_whitelist": _DECODERS}
        if context.sample_rate:
            self._check(Kind(context.sample_rate, max(1, context.layout.nb_channels), ""))
        frames = self._frames()
        first = next(frames, None)
        self._file.check()
        if first is None:
            raise AudioError(self._file.name, "it holds no samples that can be decoded", DAMAGED)
        # The decoder knows rate and channels better than the header (AAC with SBR).
        kind = Kind.of(first)
        self.sr, self.n_channels, self.n_bits = kind.sr, kind.n_channels, kind.n_bits
        self.n_samples = self._header_length()
        self._blocks = frame_blocks(chain([first], frames), self.sr, check=self._check)

    def _check(self, kind: Kind) -> None:
        is_dsd = self._stream.codec_context.name.startswith(("dsd", "dst"))
        check_limits(self._file, kind.n_channels, kind.sr, is_dsd=is_dsd)

    def blocks(self, start: int = 0) -> Iterator[Block]:
        position = 0
        try:
            for block in self._blocks:
                if position + len(block) > start:
                    yield block[max(0, start - position) :]
                position += len(block)
        except _av_errors():
            self.truncated = True
        # Decoders pad or trim an edge; a lost page or frame of consequence is longer.
        if self._behind:  # FFmpeg then takes the length from the size, with what is behind
            lacks = self._behind > _MOST_BEHIND
        elif self._format in _OWN_LENGTH:
            lacks = (self.n_samples or 0) - position > 0.1 * self.sr + 4096
        else:
            lacks = False
        last = b"" if self._last_packet is None else bytes(self._last_packet)
        if lacks or container_is_cut(self._file, self._format, last_packet=last):
            self.truncated = True

    def _frames(self) -> Iterator[AudioFrame]:
        """Frames of sound; broken packets are skipped and remembered in `truncated`."""
        in_vain = 0
        for packet in self._packets():
            in_vain += 1
            for frame in self._decoded(packet):
                in_vain = 0
                self.truncated |= frame.is_corrupt
                yield frame
            if in_vain > _MOST_SILENT_PACKETS:
                self.truncated = True
                return

    def _packets(self) -> Iterator[Packet[Any]]:
        """Packets of the track; a stream that appears midway, which PyAV trips over, is passed."""
        errors = _av_errors()
        for _ in range(_MOST_SILENT_PACKETS):
            try:
                yield from self._container.demux(self._stream)
                return
            except IndexError:
                continue
            except errors:
                self.truncated = True
                return

    def _decoded(self, packet: Packet[Any]) -> list[AudioFrame]:
        try:
            if self._format not in _UNCODED:
                self.truncated |= packet.is_corrupt
            frames = self._stream.decode(packet)
        except _av_errors():
            if not packet.size:
                pass  # there is no more to come
            elif self._is_behind_the_end(packet):
                self._behind += packet.size
            else:
                self.truncated = True
            return []
        if packet.size:
            if self._behind and not self._is_behind_the_end(packet):
                self.truncated = True  # so it was no end
            self._last_packet = packet
        return frames

    def _is_behind_the_end(self, packet: Packet[Any]) -> bool:
        """Whether it may be padding behind the last frame, which the parser hands on."""
        return self._format == "mp3" and packet.size > 0 and not frame_length(bytes(packet))

    def _header_length(self) -> int | None:
        """Samples of the sound itself, where the header can be trusted to know them."""
        container, stream, kind = self._container, self._stream, self._format
        if kind == "mp3" and not has_frame_count(self._file):
            return None
        if kind == "mov" and not stream.frames:  # a fragment may be given the length of the whole
            return None
        if kind == "matroska" and not segment_has_size(self._file):  # nor a live recording
            return None
        if kind in ("asf", "matroska") and len(container.streams) > 1:  # that of the longest
            return None
        if kind not in (*_OWN_LENGTH, *_END_TIME, "mov"):
            return None
        if stream.duration is not None and stream.time_base is not None:
            length = stream.duration * stream.time_base
            if kind in _END_TIME and stream.start_time is not None:
                length -= stream.start_time * stream.time_base
            return int(length * self.sr)
        # The container's own length is that of its longest stream, maybe pictures.
        if container.duration is not None and len(container.streams) == 1:
            begin = container.start_time or 0 if kind in _END_TIME else 0
            return int((container.duration - begin) * self.sr // 1_000_000)
        return None

    def close(self) -> None:
        self._container.close()


class _View:
    """A file by protocol, under a name that can be encoded: PyAV hands it to FFmpeg."""

    def __init__(self, file: Input) -> None:
        ending = re.search(r"\.\w{1,5}$", file.name, re.ASCII)
        self.name = "recording" + (ending.group() if ending else "")
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def open_container(file: Input) -> InputContainer:
    """A recording in FFmpeg's hands: only containers of sound that name no other file, and only
    decoders of sound.

    Raises:
        AudioError: it is no such container, or damaged.
    """
    import av

    file.seek(0)
    try:
        return av.open(
            cast("BinaryIO", _View(file)),  # by protocol
            "r",
            options={
                "format_whitelist": _DEMUXERS,
                "codec_whitelist": _DECODERS,
                "max_samples": str(MAX_FRAME_LENGTH),  # while FFmpeg looks what is in it
            },
            metadata_errors="replace",
        )
    except _av_errors() as failure:
        file.check()
        raise AudioError(file.name, *_why_unreadable(file)) from failure


def _av_errors() -> tuple[type[Exception], ...]:
    """What PyAV raises on bad input: FFmpeg's own errors, and its wrapper's complaints."""
    import av

    return (av.FFmpegError, ArithmeticError, OSError, RuntimeError, ValueError)


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
