"""The tags of a file, every field and every value, in the file's order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import mutagen
from mutagen.aac import AAC
from mutagen.ac3 import AC3
from mutagen.aiff import AIFF
from mutagen.apev2 import APEv2, APEv2File
from mutagen.asf import ASF
from mutagen.dsf import DSF
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TCON, ID3FileType
from mutagen.id3._specs import ID3TimeStamp
from mutagen.monkeysaudio import MonkeysAudio
from mutagen.mp3 import MP3, HeaderNotFoundError
from mutagen.mp4 import MP4, MP4Cover, MP4FreeForm
from mutagen.musepack import Musepack
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggspeex import OggSpeex
from mutagen.oggvorbis import OggVorbis
from mutagen.trueaudio import TrueAudio
from mutagen.wave import WAVE
from mutagen.wavpack import WavPack

from genrescope.audio.mpeg import is_free_format
from genrescope.audio.source import open_input
from genrescope.errors import AudioError, LibraryError
from genrescope.library.tags import fields
from genrescope.library.tags.fields import Tag
from genrescope.library.tags.unpacking import bounded_unpacking
from genrescope.system import interrupted_after

_OGG = [OggVorbis, OggOpus, OggFLAC, OggSpeex]
_tcon: Any = TCON  # it has no types
_apev2: Any = APEv2
_TRAILER = 32 + 128  # bytes of an APEv2 footer and of an ID3v1 tag behind it
_tags_alone: Any = ID3FileType  # nor has this; what it reads is not written
_BY_START: tuple[tuple[bytes, Any], ...] = (
    *((b"fLaC", FLAC), (b"RIFF", WAVE), (b"FORM", AIFF), (b"TTA1", TrueAudio), (b"DSD ", DSF)),
    *((b"wvpk", WavPack), (b"MAC ", MonkeysAudio), (b"MPCK", Musepack), (b"MP+", Musepack)),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), ASF),
)
_WITH_ID3 = (MP3, TrueAudio, WAVE, AIFF, DSF)
_ALL = [
    *(MP3, FLAC, *_OGG, MP4, WAVE, AIFF, ASF, TrueAudio, APEv2File, MonkeysAudio),
    *(WavPack, Musepack, DSF, AAC, AC3),
]


MOST_TEXT = 1 << 16
"""Characters of a value; longer ones are no words on music, and a catalogue holds them all."""
_MOST_TAGS = 10_000
MOST_CPU_S = 10.0
"""To read the tags of a file; what takes longer was made to."""


@dataclass(frozen=True)
class FileTags:
    """What a file says of itself.

    Attributes:
        tags: as the file has them; of a picture, other bytes or a text of more than `MOST_TEXT`
            characters their kind and a digest.
        duration_s: seconds by the file's header, where it says.
        codec: such as ``mp3``, ``flac``, ``mp4a.40.2``.
        family: one of `fields.FAMILIES` where tags can be written.
    """

    tags: tuple[Tag, ...] = ()
    duration_s: float | None = None
    codec: str | None = None
    family: str | None = None


def read_tags(path: str | bytes | os.PathLike[str], *, kind: type | None = None) -> FileTags:
    """Read a file's tags.

    Args:
        kind: mutagen's class for it, where its name does not tell.

    Raises:
        LibraryError: they are damaged, or the file cannot be read.
    """
    audio = open_audio(path, kind=kind)
    if audio is None:
        return FileTags()
    try:
        with interrupted_after(MOST_CPU_S):
            every = chain(_tags(audio), _ape_behind(audio, os.fsdecode(path)))
            tags = tuple(map(_shortened, islice(every, _MOST_TAGS + 1)))
        if len(tags) > _MOST_TAGS:
            raise ValueError(f"there are more than {_MOST_TAGS:,}")
    except Exception as error:  # a damaged file finds faults that the reader did not foresee
        raise _unreadable(os.fsdecode(path), error) from error
    length = getattr(audio.info, "length", None)
    return FileTags(
        tags=tags,
        duration_s=float(length) if length else None,
        codec=_codec(audio),
        family=_family(audio),
    )


def _codec(audio: Any) -> str | None:
    if type(audio) is ID3FileType:  # of which no more than the tags were read
        return None
    return str(getattr(audio.info, "codec", "") or type(audio).__name__.lower())


def open_audio(path: str | bytes | os.PathLike[str], *, kind: type | None = None) -> Any:
    """Mutagen's object for a file, or None where it knows no such container (LibraryError)."""
    name = os.fsdecode(path)
    try:
        with Path(name).open("rb") as file:
            head = file.read(16)
        if kind is None and _is_foreign(head):
            return None
        chosen = kind or _kind(name, head)
        with bounded_unpacking(), interrupted_after(MOST_CPU_S):
            try:
                if chosen is None:
                    return mutagen.File(name, options=_ALL)
                # ID3 frames as the file has them, not brought up to the newest version.
                as_they_are = {"translate": False} if chosen in _WITH_ID3 else {}
                return chosen(name, **as_they_are)
            except HeaderNotFoundError:
                if not _has_no_header(name):
                    raise
                return _tags_alone(name, translate=False)
    except Exception as error:
        raise _unreadable(name, error) from error


def _has_no_header(name: str) -> bool:
    """Whether it is no mp3 that mutagen knows: an ID3 tag before another sound, or free format."""
    with open_input(name, None) as file:
        return file.peek(0, 3) == b"ID3" or is_free_format(file)


def _is_foreign(head: bytes) -> bool:
    """Whether a container only looks like one that mutagen knows: AVI, RF64, IFF, MPEG of DVDs."""
    return (
        (head.startswith(b"RIFF") and head[8:12] != b"WAVE")
        or (head.startswith(b"FORM") and head[8:12] not in (b"AIFF", b"AIFC"))
        or head.startswith((b"RF64", b"\0\0\1\xba"))
    )


def _kind(name: str, head: bytes) -> Any:
    """Mutagen's class where the first bytes tell it: trying them all takes longer."""
    for start, kind in _BY_START:
        if head.startswith(start):
            return kind
    if head[4:8] == b"ftyp":
        return MP4
    if head.startswith((b"ID3", b"\xff")) and name.lower().endswith(".mp3"):
        return MP3
    return TrueAudio if head.startswith(b"ID3") and name.lower().endswith(".tta") else None


def _unreadable(name: str, error: Exception) -> LibraryError:
    inner = error.args[0] if isinstance(error, mutagen.MutagenError) and error.args else error
    if isinstance(inner, AudioError):
        return LibraryError(name, f"its tags cannot be read: {inner.reason}", inner.remedy)
    detail = getattr(inner, "strerror", None) or str(inner) or type(error).__name__
    return LibraryError(name, f"its tags cannot be read ({detail})")


def genres_of(tags: tuple[Tag, ...]) -> list[str]:
    """Names of the genres in tags; the numbers of ID3v1 are spelt out."""
    names: list[str] = []
    for tag in tags:
        if tag.field == "TCON":
            names += _tcon(encoding=3, text=[tag.value]).genres
        elif fields.values_of([tag], fields.GENRE):
            names.append(tag.value)
    return list(dict.fromkeys(name.strip() for name in names if name.strip()))


def _family(audio: Any) -> str | None:
    """The family of a mutagen object that can be written; None of any other."""
    for kinds, family in (
        (_WITH_ID3, fields.ID3),
        ((FLAC, *_OGG), fields.VORBIS),
        ((MP4,), fields.MP4),
        ((MonkeysAudio, WavPack, Musepack), fields.APE),
        ((ASF,), fields.ASF),
    ):
        if isinstance(audio, kinds):
            return family
    return None


def _tags(audio: Any) -> Iterator[Tag]:
    tags = audio.tags
    kind = type(tags)
    if issubclass(kind, ID3):
        for frame in tags.values():
            yield from _id3(frame)
    elif issubclass(kind, list):  # Vorbis comments, and ASF's attributes
        yield from (Tag(str(name), _text(value)) for name, value in list.__iter__(tags))
    elif issubclass(kind, APEv2):
        yield from _ape(tags)
    elif tags is not None:
        for name, values in tags.items():
            for value in values if isinstance(values, list) else [values]:
                yield Tag(str(name), _text(value))
    for picture in getattr(audio, "pictures", ()):
        yield Tag("METADATA_BLOCK_PICTURE", _digest(picture.mime, picture.data))


def _ape(tags: Any) -> Iterator[Tag]:
    for name, value in tags.items():
        texts = list(value) if value.kind == 0 else [_digest("binary", bytes(value))]
        yield from (Tag(str(name), text) for text in texts)


def _ape_behind(audio: Any, name: str) -> Iterator[Tag]:
    """What an APEv2 tag says that stands behind the sound of a file whose own tags are others'."""
    if not isinstance(audio, MP3 | TrueAudio | AAC):
        return
    with Path(name).open("rb") as file:
        file.seek(-min(_TRAILER, file.seek(0, os.SEEK_END)), os.SEEK_END)
        if b"APETAGEX" not in file.read():
            return
    with suppress(mutagen.MutagenError):
        yield from _ape(_apev2(name))


def _shortened(tag: Tag) -> Tag:
    if len(tag.value) <= MOST_TEXT:
        return tag
    return Tag(tag.field, _digest("text", tag.value.encode("utf-8", "backslashreplace")))


def _id3(frame: Any) -> Iterator[Tag]:
    text = getattr(frame, "text", None)
    if isinstance(text, str):
        text = [text]
    if isinstance(text, list) and all(isinstance(t, str | int | ID3TimeStamp) for t in text):
        yield from (Tag(frame.HashKey, str(value)) for value in text)
    elif isinstance(url := getattr(frame, "url", None), str):
        yield Tag(frame.FrameID if frame.FrameID != "WXXX" else f"WXXX:{frame.desc}", url)
    elif isinstance(data := getattr(frame, "data", None), bytes):
        yield Tag(frame.HashKey, _digest(getattr(frame, "mime", frame.FrameID), data))
    else:
        yield Tag(frame.HashKey, repr(frame))


def _text(value: Any) -> str:
    if isinstance(value, MP4FreeForm):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return _digest("binary", bytes(value))
    if isinstance(value, MP4Cover | bytes):
        return _digest("binary", bytes(value))
    return str(value)


def _digest(kind: str, data: bytes) -> str:
    return f"({kind}, {len(data)} bytes, {hashlib.blake2b(data, digest_size=8).hexdigest()})"
