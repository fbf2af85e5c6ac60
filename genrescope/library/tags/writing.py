"""Write fields into a copy of a file, and prove that nothing else changed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mutagen
from mutagen.aiff import AIFF
from mutagen.id3 import ID3, TCON, TXXX, ID3NoHeaderError
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4, AtomDataType, MP4FreeForm
from mutagen.wave import WAVE

from genrescope.errors import LibraryError
from genrescope.library.audio_region import audio_hash
from genrescope.library.packets import packets_hash
from genrescope.library.tags import fields
from genrescope.library.tags.fields import Tag, field_name, values_of
from genrescope.library.tags.reading import open_audio, read_tags

Changes = Mapping[str, Sequence[str]]
"""From a field of `fields.WRITABLE` to its values; none removes it."""

_V1_BYTES = 128
_id3: Any = ID3  # mutagen's types are few
_free_form: Any = MP4FreeForm
_tcon: Any = TCON
_txxx: Any = TXXX


def edit_copy(original: Path, copy: Path, changes: Changes) -> bytes:
    """Write fields into a copy and compare it with the file it was made of.

    Args:
        original: the file; it is only read.
        copy: a file with the same bytes; what it holds after an error is of no use.

    Returns:
        The hash of the sound, the same in both.

    Raises:
        LibraryError: such tags are not written, or something else than these fields changed.
    """
    name = os.fspath(original)
    audio = open_audio(original)
    before = read_tags(original)
    if audio is None or before.family is None:
        raise LibraryError(name, "tags of such a container are not written")
    kind = type(audio)
    try:
        _write(copy, kind, changes)
    except mutagen.MutagenError as error:
        inner = error.args[0] if error.args else error
        if isinstance(inner, OSError):
            raise inner from error
        raise LibraryError(name, f"its tags cannot be written ({error})") from error
    after = read_tags(copy, kind=kind)
    for meaning, values in changes.items():
        if values_of(after.tags, meaning) != list(values):
            raise LibraryError(name, f"{meaning} was not written as planned; it was left alone")
    if _others(before.tags, changes) != _others(after.tags, changes):
        raise LibraryError(name, "writing would change other fields; it was left alone")
    sound = audio_hash(original)
    if audio_hash(copy) != sound or packets_hash(copy) != packets_hash(original):
        raise LibraryError(name, "writing would change its sound; it was left alone")
    return sound


def _others(tags: Sequence[Tag], changes: Changes) -> Counter[Tag]:
    planned = {tag for meaning in changes for tag in tags if values_of([tag], meaning)}
    return Counter(tag for tag in tags if tag not in planned)


def _write(copy: Path, kind: type, changes: Changes) -> None:
    if kind is MP3:
        _write_mp3(copy, changes)
        return
    if issubclass(kind, WAVE | AIFF):
        audio: Any = kind(copy, translate=False)
        if audio.tags is None:
            audio.add_tags()
        _set_id3(copy, audio.tags, changes)
        audio.tags.save(copy, **_id3_options(audio.tags))
        return
    audio = open_audio(copy, kind=kind)
    if audio.tags is None:
        audio.add_tags()
    for meaning, values in changes.items():
        _set(audio, kind, meaning, list(values))
    audio.save()


def _set(audio: Any, kind: type, meaning: str, values: list[str]) -> None:
    family = fields.MP4 if issubclass(kind, MP4) else fields.VORBIS
    name = field_name(family, meaning)
    if not values:
        if name in audio:
            del audio[name]
    elif name.startswith("----:"):
        audio[name] = [_free_form(value.encode(), AtomDataType.UTF8) for value in values]
    else:
        audio[name] = values


def _write_mp3(copy: Path, changes: Changes) -> None:
    """ID3v2 as its version is; an ID3v1 tag at the end stays as it was, byte for byte."""
    try:
        tags = _id3(copy, translate=False, load_v1=False)
    except ID3NoHeaderError:
        # Who reads the new tag stops looking for the old one: it must say as much.
        try:
            tags = _id3(copy, translate=False)
        except ID3NoHeaderError:
            tags = _id3()
    old = _id3v1(copy)
    _set_id3(copy, tags, changes)
    tags.save(copy, v1=1, **_id3_options(tags))
    if old:
        with copy.open("r+b") as file:
            file.seek(-_V1_BYTES, os.SEEK_END)
            file.write(old)


def _id3v1(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < _V1_BYTES:
            return b""
        file.seek(-_V1_BYTES, os.SEEK_END)
        tail = file.read()
    return tail if tail.startswith(b"TAG") else b""


def _id3_options(tags: Any) -> dict[str, Any]:
    return {"v2_version": 3 if tags.version[:2] == (2, 3) else 4, "v23_sep": None}


def _set_id3(copy: Path, tags: Any, changes: Changes) -> None:
    if tags.version[:2] == (2, 2):
        raise LibraryError(
            str(copy), "its tags are of ID3v2.2, which is not written", "Convert them to ID3v2.4."
        )
    encoding = 1 if tags.version[:2] == (2, 3) else 3  # UTF-16 and UTF-8
    for meaning, values in changes.items():
        name = field_name(fields.ID3, meaning)
        if len(values) > 1 and encoding == 1:
            raise LibraryError(str(copy), f"its tags are of ID3v2.3, which holds one {meaning}")
        tags.delall(name)
        frame = _tcon(encoding=encoding, text=list(values))
        if name.startswith("TXXX:"):
            desc = name.removeprefix("TXXX:")
            frame = _txxx(encoding=encoding, desc=desc, text=list(values))
        if values:
            tags.add(frame)
