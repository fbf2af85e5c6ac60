"""CUE sheets: which files of a folder hold a whole album."""

from __future__ import annotations

import re
from pathlib import Path

_FILE = re.compile(r'^[^\S\n]*FILE\s+(?:"([^"]+)"|(\S+))', re.MULTILINE | re.IGNORECASE)
_TRACK = re.compile(r"^[^\S\n]*TRACK\s+\d+\s+AUDIO", re.MULTILINE | re.IGNORECASE)
_LARGEST = 1 << 20


def albums_of(sheet: Path) -> frozenset[bytes]:
    """Names, folded to lower case, of the files that a sheet cuts into several tracks.

    A sheet that cannot be read, or is none, names no file.
    """
    try:
        with sheet.open("rb") as file:
            raw = file.read(_LARGEST)
    except OSError:
        return frozenset()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    starts = [*_FILE.finditer(text)]
    ends = [*(match.start() for match in starts), len(text)][1:]
    return frozenset(
        folded((match[1] or match[2]).encode())
        for match, end in zip(starts, ends, strict=True)
        if len(_TRACK.findall(text, match.end(), end)) > 1
    )


def folded(name: bytes) -> bytes:
    """A file's name as sheets may spell it: they were mostly made where case does not count."""
    return name.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")
