"""Write fields into a copy of a file, and prove that nothing else changed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mutagen
from mutagen.aiff import AIFF
from mutagen.apev2 import APEv2File
from mutagen.asf import ASF
from mutagen.dsf import DSF
from mutagen.id3 import ID3, TBPM, TCON, TKEY, TXXX, ID3NoHeaderError
from mutagen.mp3 import MP3
from mutagen.mp4 import AtomDataType, MP4FreeForm
from mutagen.trueaudio import TrueAudio
from mutagen.wave import WAVE

from genrescope.errors import LibraryError
from genrescope.library.audio_region import audio_hash
from genrescope.library.packets import packets_hash
from genrescope.library.tags import fields, id3v22
from genrescope.library.tags.fields import Tag, field_name, values_of
from genrescope.library.tags.reading import open_audio, read_tags

Changes = Mapping[str, Sequence[str]]
"""From a field of `fields.WRITABLE` to its values; none removes it."""

_V1_BYTES, _APE_FOOTER = 128, 32
_MOST_BPM = 65_535  # of two bytes
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_id3: Any = ID3  # mutagen's types are few
_free_form: Any = MP4FreeForm
_txxx: Any = TXXX
_frames: dict[str, Any] = {"TCON": TCON, "TBPM": TBPM, "TKEY": TKEY}


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
        _write(copy, kind, before.family, changes)
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


def _write(copy: Path, kind: type, family: str, changes: Changes) -> None:
    if issubclass(kind, MP3 | TrueAudio):
        _write_before_sound(copy, changes)
    elif issubclass(kind, WAVE | AIFF | DSF):
        audio: Any = kind(copy, translate=False)
        if audio.tags is None:
            audio.add_tags()
        _set_id3(copy, audio.tags, changes)
        audio.tags.save(copy, **_id3_options(audio.tags))
    elif issubclass(kind, APEv2File):
        _write_ape(copy, kind, family, changes)
    else:
        audio = open_audio(copy, kind=kind)
        if audio.tags is None:
            audio.add_tags()
        _set(copy, audio, family, changes)
        audio.save()
        if kind is ASF:
            _tell_size(copy)


def _set(copy: Path, audio: Any, family: str, changes: Changes) -> None:
    """Set fields by the names that they have in the file, or else by the usual ones."""
    known = {tag.field for tag in read_tags(copy, kind=type(audio)).tags}
    for meaning, values in changes.items():
        name = field_name(family, meaning)
        present = sorted(key for key in known if fields.meaning_of(key) == meaning)
        usual = [key for key in present if key.casefold() == name.casefold()]
        name = next(iter([*usual, *present]), name)
        for key in present:
            if key in audio:
                del audio[key]
        if not values:
            continue
        if name.startswith("----:"):
            audio[name] = [_free_form(value.encode(), AtomDataType.UTF8) for value in values]
        elif name == "tmpo":
            audio[name] = [_whole(copy, value) for value in values]
        else:
            audio[name] = list(values)


def _whole(copy: Path, value: str) -> int:
    if not value.isdecimal() or int(value) > _MOST_BPM:
        raise LibraryError(str(copy), f"its container holds whole numbers as bpm, not {value!r}")
    return int(value)


def _write_ape(copy: Path, kind: type, family: str, changes: Changes) -> None:
    """APEv2 at the end; an ID3v1 tag behind it stays as it was, byte for byte."""
    old = _id3v1(copy)
    os.truncate(copy, copy.stat().st_size - len(old))
    with copy.open("rb") as file:
        file.seek(-min(_APE_FOOTER, copy.stat().st_size), os.SEEK_END)
        tail = file.read()
    if tail.endswith(b"LYRICS200"):
        raise LibraryError(str(copy), "it has lyrics behind its tags, which would be lost")
    audio = open_audio(copy, kind=kind)
    n_fields = int.from_bytes(tail[16:20], "little") if tail.startswith(b"APETAGEX") else 0
    if n_fields != len(audio.tags or ()):
        raise LibraryError(str(copy), "its tags are laid out so that a field would be lost")
    if audio.tags is None:
        audio.add_tags()
    _set(copy, audio, family, changes)
    if audio.tags:
        audio.save()
    else:
        audio.delete()
    with copy.open("ab") as file:
        file.write(old)


def _tell_size(copy: Path) -> None:
    """Write the file's size into an ASF header, which mutagen leaves at what it was."""
    with copy.open("r+b") as file:
        head = file.read(30)
        header = head + file.read(int.from_bytes(head[16:24], "little") - len(head))
        at = header.find(_ASF_PROPERTIES)
        if at > 0:
            file.seek(at + 40)
            file.write(copy.stat().st_size.to_bytes(8, "little"))


def _write_before_sound(copy: Path, changes: Changes) -> None:
    """ID3v2 as its version is; an ID3v1 tag at the end stays as it was, byte for byte."""
    try:
        tags = _id3(copy, translate=False, load_v1=False)
    except ID3NoHeaderError:
        # Who reads the new tag stops looking for the old one: it must say as much.
        try:
            tags = _id3(copy, translate=False)
        except ID3NoHeaderError:
            tags = _id3()
    if tags.version[:2] == (2, 2):
        id3v22.edit(copy, changes)
        return
    old = _id3v1(copy)
    _set_id3(copy, tags, changes)
    tags.save(copy, v1=1, **_id3_options(tags))
    if old:
        with copy.open("r+b") as file:
            file.seek(-_V1_BYTES, os.SEEK_END)
            file.write(old)


def _id3v1(path: Path) -> bytes:
    """The ID3v1 tag that a file ends with; empty where it ends with none."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(-min(size, _V1_BYTES), os.SEEK_END)
        tail = file.read()
    # An APEv2 tag of the right length has the same letters in its header at this place.
    of_ape = tail[-_APE_FOOTER:].startswith(b"APETAGEX")
    return tail if len(tail) == _V1_BYTES and tail.startswith(b"TAG") and not of_ape else b""


def _id3_options(tags: Any) -> dict[str, Any]:
    return {"v2_version": 3 if tags.version[:2] == (2, 3) else 4, "v23_sep": None}


def _set_id3(copy: Path, tags: Any, changes: Changes) -> None:
    if tags.version[:2] == (2, 2):
        raise LibraryError(
            str(copy), "its tags are of ID3v2.2, and not at its beginning: these are not written"
        )
    encoding = 1 if tags.version[:2] == (2, 3) else 3  # UTF-16 and UTF-8
    for meaning, values in changes.items():
        name = field_name(fields.ID3, meaning)
        if len(values) > 1 and encoding == 1:
            raise LibraryError(str(copy), f"its tags are of ID3v2.3, which holds one {meaning}")
        tags.delall(name)
        if not values:
            continue
        own = name.removeprefix("TXXX:")
        if own != name:
            tags.add(_txxx(encoding=encoding, desc=own, text=list(values)))
        else:
            tags.add(_frames[name](encoding=encoding, text=list(values)))
