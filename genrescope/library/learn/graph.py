"""Give a net another head, in the bytes of its ONNX file.

An ONNX file is a protocol buffer: fields of a number, a kind and a payload (ONNX's ``onnx.proto``;
the encoding is that of protobuf.dev). What is not about the head is copied as it is, so that
neither a training library nor ONNX's own is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from genrescope.errors import BundleError
from genrescope.library.learn.head import Head
from genrescope.model.net import EMBEDDING, LOGITS, STEPS

_GRAPH = 7  # of ModelProto
_NODE, _INITIALIZER, _OUTPUT = 1, 5, 12  # of GraphProto
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_OP, _NODE_ATTRIBUTE = 1, 2, 3, 4, 5
_VARINT, _BYTES = 0, 2
_FLOAT = 1


def with_head(onnx_bytes: bytes, head: Head) -> bytes:
    """A net that answers with ``head`` of its embedding, at length 1, instead of its own logits.

    It tells nothing of the parts of a window: these have no embeddings.

    Args:
        onnx_bytes: a net of a bundle's contract.

    Raises:
        BundleError: it is no ONNX file, or has no embedding.
    """
    try:
        model = list(_fields(onnx_bytes))
        graphs = [value for number, value in model if number == _GRAPH]
        graph = _changed(list(_fields(_payload(graphs[0]))), head)
    except (IndexError, ValueError) as error:
        raise BundleError(f"its net cannot be given another head ({error})") from error
    return b"".join(
        _field(number, graph) if number == _GRAPH else _field(number, value)
        for number, value in model
    )


Value = int | bytes
"""A field's payload: a whole number, or bytes."""


def _changed(graph: list[tuple[int, Value]], head: Head) -> bytes:
    digest = hashlib.sha256(head.weights.tobytes() + head.bias.tobytes()).hexdigest()[:12]
    old = {name.encode(): f"{name}_{digest}".encode() for name in (LOGITS, STEPS)}
    outputs = [_name(value) for number, value in graph if number == _OUTPUT]
    if EMBEDDING.encode() not in outputs:
        raise ValueError("it gives no embedding")
    # Nodes first, then what they lead to: the order of fields of one number is that of the graph.
    kept = [
        _field(number, _renamed(_payload(value), old)) if number == _NODE else _field(number, value)
        for number, value in graph
        if number != _OUTPUT or _name(value) not in old
    ]
    unit, weights, bias = (f"own_{part}_{digest}" for part in ("unit", "weights", "bias"))
    return b"".join(
        [
            *kept,
            _field(_NODE, _node("LpNormalization", [EMBEDDING], unit, axis=1, p=2)),
            _field(_NODE, _node("Gemm", [unit, weights, bias], LOGITS)),
            _field(_INITIALIZER, _tensor(weights, head.weights)),
            _field(_INITIALIZER, _tensor(bias, head.bias)),
            _field(_OUTPUT, _value_info(LOGITS, len(head.bias))),
        ]
    )


def _renamed(node: bytes, names: dict[bytes, bytes]) -> bytes:
    return b"".join(
        _field(number, names.get(value, value))
        if number in (_NODE_INPUT, _NODE_OUTPUT) and isinstance(value, bytes)
        else _field(number, value)
        for number, value in _fields(node)
    )


def _node(op: str, inputs: list[str], output: str, **attributes: int) -> bytes:
    parts = [_field(_NODE_INPUT, name.encode()) for name in inputs]
    parts += [_field(_NODE_OUTPUT, output.encode())]
    parts += [
        _field(_NODE_NAME, f"{op}_{output}_{inputs[-1]}".encode()),
        _field(_NODE_OP, op.encode()),
    ]
    for name, number in attributes.items():  # AttributeProto: name 1, i 3, type 20 (INT is 2)
        attribute = _field(1, name.encode()) + _field(3, number) + _field(20, 2)
        parts.append(_field(_NODE_ATTRIBUTE, attribute))
    return b"".join(parts)


def _tensor(name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
    """TensorProto: dims 1, data_type 2, name 8, raw_data 9."""
    dims = b"".join(_field(1, n) for n in values.shape)
    raw = values.astype("<f4").tobytes()
    return dims + _field(2, _FLOAT) + _field(8, name.encode()) + _field(9, raw)


def _value_info(name: str, n_classes: int) -> bytes:
    """ValueInfoProto of float (batch, n_classes): name 1, type 2; dim_value 1, dim_param 2."""
    dims = _field(1, _field(2, b"batch")) + _field(1, _field(1, n_classes))
    tensor = _field(1, _FLOAT) + _field(2, dims)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _name(value: Value) -> bytes:
    """The name, field 1, of a ValueInfoProto."""
    return next(_payload(name) for number, name in _fields(_payload(value)) if number == 1)


def _payload(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a field is of another kind than it should be")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Numbers and payloads of a message's fields.

    Raises:
        ValueError: it is cut off, or holds a kind that ONNX's messages at these levels do not.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
        elif kind == _BYTES:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("it is cut off")
            yield number, data[at : at + length]
            at += length
        else:
            raise ValueError("it is no ONNX file")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return _encoded(number << 3 | _VARINT) + _encoded(value)
    return _encoded(number << 3 | _BYTES) + _encoded(len(value)) + value


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
