"""Fields of a message, read and written."""

from __future__ import annotations

import pytest

from genrescope.model.protobuf import encode, fields, places


def test_what_is_written_is_read() -> None:
    written: list[tuple[int, int | bytes]] = [(1, 0), (2, b"abc"), (300, 2**40), (4, b"")]
    data = b"".join(encode(number, value) for number, value in written)
    assert list(fields(data)) == written


def test_the_encoding_is_that_of_protobuf() -> None:
    assert encode(1, 150) == b"\x08\x96\x01"  # the example of its documentation
    assert encode(2, b"testing") == b"\x12\x07testing"


def test_places_are_those_of_the_payloads() -> None:
    inner = encode(9, b"weights")
    data = encode(1, 5) + encode(7, inner)
    first, second = places(data)
    assert (first.value, first.is_bytes) == (5, False)
    assert data[second.start : second.end] == inner
    (deep,) = places(data, second.start, second.end)
    assert data[deep.start : deep.end] == b"weights"


@pytest.mark.parametrize(
    "data", [b"\x08", b"\x12\x07test", b"\x12\x80", b"\x0d\x00\x00\x00\x00", b"no message"]
)
def test_what_is_cut_off_or_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="it is"):
        list(fields(data))
