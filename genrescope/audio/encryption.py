"""Recordings that are locked: protected purchases and streams.

Their containers can be read, and a decoder makes noise of the sound or nothing. Sources: ISO
14496-12 and 23001-7 (``enca``, ``sinf``), Apple's ``drms``, Audible's ``aavd``, RFC 9559
(ContentEncryption), Microsoft's Advanced Systems Format (content encryption objects).
"""

from __future__ import annotations

import re

from genrescope.audio.source import Input

_HEAD = 1 << 14  # bytes in which Matroska and ASF say so
_MOST_MOOV = 1 << 26  # bytes
_MOST_BOXES = 10_000
_LOCKED_ENTRY = re.compile(rb"stsd.{12}(enca|drms|aavd)|stsd.{12}....", re.DOTALL)
_EBML_ENCRYPTED = b"\x50\x33\x81\x01"  # ContentEncodingType: encryption
_EBML_CLUSTER = b"\x1f\x43\xb6\x75"
_ASF_ENCRYPTION = tuple(
    bytes.fromhex(guid)
    for guid in ("fbb3112223bdd211b4b700a0c955fc6e", "14e68a292226174cb935dae07ee9289c")
)


def locked_tracks(file: Input, container: str) -> list[bool]:
    """Which tracks are encrypted, in their order; one answer for all where that is not known.

    Args:
        file: the whole file.
        container: FFmpeg's name of the demuxer.
    """
    if container.startswith("mov"):
        return [match.group(1) is not None for match in _LOCKED_ENTRY.finditer(_moov(file))]
    if container.startswith("matroska"):
        return [_EBML_ENCRYPTED in file.peek(0, _HEAD).partition(_EBML_CLUSTER)[0]]
    if container == "asf":
        return [any(guid in file.peek(0, _HEAD) for guid in _ASF_ENCRYPTION)]
    return [False]


def _moov(file: Input) -> bytes:
    """The box that describes an MP4 file's tracks; empty where it is missing."""
    offset = 0
    for _ in range(_MOST_BOXES):
        header = file.peek(offset, 16)
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if header[4:8] == b"moov":
            return file.peek(offset, min(size or file.size, _MOST_MOOV))
        if size < 8:
            break
        offset += size
    return b""
