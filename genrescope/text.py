"""Text that any file can hold."""

from __future__ import annotations


def spelt(text: str) -> str:
    """Text, such as a path, whose bytes that are no text are spelt out."""
    return text.encode("utf-8", "backslashreplace").decode()
