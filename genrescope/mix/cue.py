"""The cue sheet of a mix: which recording begins where."""

from __future__ import annotations

from collections.abc import Sequence

_FRAMES = 75  # of a second, in which the format counts


def sheet(file: str, tracks: Sequence[tuple[str, float]]) -> str:
    """A cue sheet.

    Args:
        file: name of the WAV file.
        tracks: title, and where it begins in s.
    """
    lines = [f'FILE "{_plain(file)}" WAVE']
    for number, (title, start) in enumerate(tracks, 1):
        frames = round(start * _FRAMES)
        minutes, rest = divmod(frames, 60 * _FRAMES)
        seconds, frames = divmod(rest, _FRAMES)
        lines += [
            f"  TRACK {number:02d} AUDIO",
            f'    TITLE "{_plain(title)}"',
            f"    INDEX 01 {minutes:02d}:{seconds:02d}:{frames:02d}",
        ]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that may stand within quotes on a line."""
    plain = "".join(" " if ord(sign) < 32 else sign for sign in text)
    return plain.encode("utf-8", "replace").decode().replace('"', "'")
