"""Protocol buffers as ONNX files are made of: fields of a number, a kind and a payload.

The encoding is that of protobuf.dev. It is read and written here so that neither a training library
nor ONNX's own is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

VARINT, BYTES = 0, 2
"""Kinds of fields that ONNX's messages have at the levels that are read here."""

Value = int | bytes
"""A field's payload: a whole number, or bytes."""


@dataclass(frozen=True)
class Field:
    """One field of a message.

    Attributes:
        number: which field it is, as the message's description counts.
        start, end: where its bytes lie in the data; both where the number ends of a whole number.
        value: of a whole number; 0 of bytes.
        is_bytes: whether it is bytes.
    """

    number: int
    start: int
    end: int
    value: int
    is_bytes: bool


def places(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message that lies from ``start`` to ``end``.

    Raises:
        ValueError: it is cut off, or holds a kind that ONNX's messages at these levels do not.
    """
    at, end = start, len(data) if end is None else end
    while at < end:
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind not in (VARINT, BYTES):
            raise ValueError("it is no ONNX file")
        value, at = _varint(data, at)
        length = value if kind == BYTES else 0
        if at + length > end:
            raise ValueError("it is cut off")
        yield Field(number, at, at + length, 0 if kind == BYTES else value, kind == BYTES)
        at += length


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Numbers and payloads of a message's fields. Raises like `places`."""
    for field in places(data):
        yield field.number, data[field.start : field.end] if field.is_bytes else field.value


def encode(number: int, value: Value) -> bytes:
    """A field in bytes."""
    if isinstance(value, int):
        return _encoded(number << 3 | VARINT) + _encoded(value)
    return _encoded(number << 3 | BYTES) + _encoded(len(value)) + value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("it is cut off")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
