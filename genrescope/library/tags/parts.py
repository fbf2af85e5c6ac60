"""Names of the copies that are edited in a file's place."""

from __future__ import annotations

import re
import secrets

_NAME = re.compile(rb"\.genrescope-[0-9a-f]{16}\.part")


def part_name() -> bytes:
    """A new name: hidden, of no audio file's ending, and unlike any person's."""
    return f".genrescope-{secrets.token_hex(8)}.part".encode()


def is_part(name: bytes) -> bool:
    """Whether a file's name is one of `part_name`."""
    return _NAME.fullmatch(name) is not None
