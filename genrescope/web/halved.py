"""Nets at half their size, for who has to fetch them: their weights in 16 bits in place of 32.

Nothing else of a net's file changes: where a weight of 32 bits stood, one of 16 stands, and
``static/local/halved.js`` puts the file together again before ONNX Runtime reads it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from genrescope.errors import BundleError
from genrescope.model.protobuf import Field, places

LEAST_BYTES = 4096
"""Arrays of fewer bytes stay as they are: they are biases and statistics, and weigh nothing. So are
first convolutions, whose rounding whole numbers after them would make larger."""

_GRAPH = 7  # of ModelProto
_INITIALIZER = 5  # of GraphProto
_DATA_TYPE, _RAW_DATA = 2, 9  # of TensorProto
_FLOAT = 1

Stretch = tuple[int, int]
"""Where the bytes of weights lie in the whole file: from, to."""


def halve(net: bytes) -> tuple[bytes, list[Stretch]]:
    """A net's file with its weights as 16-bit floats, and where they lie in the whole file.

    Args:
        net: an ONNX file whose weights are in it.

    Raises:
        BundleError: it is no ONNX file.
    """
    try:
        stretches = [stretch for stretch in _weights(net) if _fits(net, stretch)]
    except ValueError as error:
        raise BundleError(f"its net cannot be made smaller ({error})") from error
    parts, at = [], 0
    for start, end in stretches:
        parts += [net[at:start], _floats(net, (start, end)).astype("<f2").tobytes()]
        at = end
    return b"".join([*parts, net[at:]]), stretches


def whole(halved: bytes, stretches: list[Stretch]) -> bytes:
    """The file that `halve` was given, its weights rounded: what a browser hands to the net."""
    parts, at, read = [], 0, 0
    for start, end in stretches:
        weights = read + start - at
        read_to = weights + (end - start) // 2
        parts += [halved[read:weights]]
        parts += [np.frombuffer(halved[weights:read_to], "<f2").astype("<f4").tobytes()]
        at, read = end, read_to
    return b"".join([*parts, halved[read:]])


def _weights(net: bytes) -> Iterator[Stretch]:
    """Every array of floats that is worth it, in the order of the file."""
    for graph in _inside(net, Field(0, 0, len(net), 0, is_bytes=True), _GRAPH):
        for tensor in _inside(net, graph, _INITIALIZER):
            parts = {field.number: field for field in places(net, tensor.start, tensor.end)}
            raw = parts.get(_RAW_DATA)
            kind = parts.get(_DATA_TYPE)
            if raw and kind and kind.value == _FLOAT and raw.end - raw.start >= LEAST_BYTES:
                yield raw.start, raw.end


def _inside(net: bytes, message: Field, number: int) -> Iterator[Field]:
    for field in places(net, message.start, message.end):
        if field.number == number:
            yield field


def _floats(net: bytes, stretch: Stretch) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.frombuffer(net[slice(*stretch)], "<f4")


def _fits(net: bytes, stretch: Stretch) -> bool:
    """Whether 16 bits can hold the weights' size: 65,504 at most."""
    return bool(np.abs(_floats(net, stretch)).max() <= np.finfo(np.float16).max)
