"""Nets that a browser runs without much memory: without casts of truths to numbers.

ONNX Runtime's Cast is one function for every pair of kinds of numbers: half a megabyte of
WebAssembly. A browser that has called it a few dozen times compiles it anew to make it quicker,
which takes Chromium more than 100 MB and seconds of a core (docs/log.md). Where, which gives 1 for
true and 0 for false, says the same and is small.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from genrescope.errors import BundleError
from genrescope.model.protobuf import Value, encode, fields

_GRAPH = 7  # of ModelProto
_NODE, _INITIALIZER = 1, 5  # of GraphProto
_INPUT, _OUTPUT, _NAME, _OPERATOR, _ATTRIBUTE = 1, 2, 3, 4, 5  # of NodeProto
_WHOLE = 3  # of AttributeProto
_DATA_TYPE, _TENSOR_NAME, _RAW_DATA = 2, 8, 9  # of TensorProto
_FLOAT = 1
_NUMBERS = {b"genrescope.true": 1.0, b"genrescope.false": 0.0}

Message = list[tuple[int, Value]]


def without_casts(net: bytes) -> bytes:
    """The same net, with a Where in place of each Cast of what an Equal says to floats.

    Args:
        net: an ONNX file.

    Raises:
        BundleError: it is no ONNX file.
    """
    try:
        return _encoded((n, _graph(v) if n == _GRAPH else v) for n, v in fields(net))
    except ValueError as error:
        raise BundleError(f"its net cannot be rewritten ({error})") from error


def _graph(graph: Value) -> bytes:
    parts = list(fields(_bytes(graph)))
    nodes = [list(fields(_bytes(value))) for number, value in parts if number == _NODE]
    truths = {
        output for node in nodes if _all(node, _OPERATOR) == [b"Equal"]
        for output in _all(node, _OUTPUT)
    }  # fmt: skip
    changed = [_where(node) if _is_cast(node, truths) else _encoded(node) for node in nodes]
    if changed == [_encoded(node) for node in nodes]:
        return _bytes(graph)
    rest = [(number, value) for number, value in parts if number != _NODE]
    numbers = [(_INITIALIZER, _number(name, value)) for name, value in _NUMBERS.items()]
    return _encoded([*((_NODE, node) for node in changed), *rest, *numbers])


def _is_cast(node: Message, truths: set[Value]) -> bool:
    """Whether a node makes floats of truths."""
    if _all(node, _OPERATOR) != [b"Cast"] or not truths.issuperset(_all(node, _INPUT)):
        return False
    (attribute,) = _all(node, _ATTRIBUTE)
    return _all(list(fields(_bytes(attribute))), _WHOLE) == [_FLOAT]


def _where(cast: Message) -> bytes:
    inputs = [(_INPUT, name) for name in (*_all(cast, _INPUT), *_NUMBERS)]
    kept = [(number, value) for number, value in cast if number in (_OUTPUT, _NAME)]
    return _encoded([*inputs, *kept, (_OPERATOR, b"Where")])


def _number(name: bytes, value: float) -> bytes:
    """A tensor of one number."""
    raw = struct.pack("<f", value)
    return _encoded([(_DATA_TYPE, _FLOAT), (_TENSOR_NAME, name), (_RAW_DATA, raw)])


def _all(message: Message, number: int) -> list[Value]:
    return [value for n, value in message if n == number]


def _encoded(message: Message | Iterator[tuple[int, Value]]) -> bytes:
    return b"".join(encode(number, value) for number, value in message)


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise ValueError("it is no ONNX file")
    return value
