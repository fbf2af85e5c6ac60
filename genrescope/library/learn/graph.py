"""Give a net another head, in the bytes of its ONNX file.

The file's messages are those of ONNX's ``onnx.proto``. What is not about the head is copied as it
is.
"""

from __future__ import annotations

import hashlib

import numpy as np

from genrescope.errors import BundleError
from genrescope.library.learn.head import GENRES_WEIGHT, Head
from genrescope.model.net import EMBEDDING, LOGITS, STEPS
from genrescope.model.protobuf import Value, encode, fields

_GRAPH = 7  # of ModelProto
_NODE, _INITIALIZER, _OUTPUT = 1, 5, 12  # of GraphProto
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_OP, _NODE_ATTRIBUTE = 1, 2, 3, 4, 5
_FLOAT = 1


def with_head(onnx_bytes: bytes, head: Head, *, temperature: float) -> bytes:
    """A net that answers with ``head`` of its embedding and its genres instead of its own logits.

    The head sees what `genrescope.library.learn.head.seen` gives.

    It tells nothing of the parts of a window: these have no embeddings.

    Args:
        onnx_bytes: a net of a bundle's contract.
        temperature: what its logits are divided by to become probabilities.

    Raises:
        BundleError: it is no ONNX file, or has no embedding.
    """
    try:
        model = list(fields(onnx_bytes))
        graphs = [value for number, value in model if number == _GRAPH]
        graph = _changed(list(fields(_payload(graphs[0]))), head, temperature)
    except (IndexError, ValueError) as error:
        raise BundleError(f"its net cannot be given another head ({error})") from error
    return b"".join(
        encode(number, graph) if number == _GRAPH else encode(number, value)
        for number, value in model
    )


def _changed(graph: list[tuple[int, Value]], head: Head, temperature: float) -> bytes:
    digest = hashlib.sha256(head.weights.tobytes() + head.bias.tobytes()).hexdigest()[:12]
    old = {name.encode(): f"{name}_{digest}".encode() for name in (LOGITS, STEPS)}
    outputs = [_name(value) for number, value in graph if number == _OUTPUT]
    if EMBEDDING.encode() not in outputs:
        raise ValueError("it gives no embedding")
    # Nodes first, then what they lead to: the order of fields of one number is that of the graph.
    kept = [
        encode(number, _renamed(_payload(value), old)) if number == _NODE else encode(number, value)
        for number, value in graph
        if number != _OUTPUT or _name(value) not in old
    ]
    own = "own_{}_" + digest
    names = ("unit", "scaled", "genres", "unit_genres", "weighed", "seen")
    unit, scaled, genres, unit_genres, weighed, seen = map(own.format, names)
    scale, weight, weights, bias = map(own.format, ("scale", "weight", "weights", "bias"))
    nodes = [
        _node("LpNormalization", [EMBEDDING], unit, axis=1, p=2),
        _node("Mul", [old[LOGITS.encode()].decode(), scale], scaled),
        _node("Softmax", [scaled], genres, axis=1),
        _node("LpNormalization", [genres], unit_genres, axis=1, p=2),
        _node("Mul", [unit_genres, weight], weighed),
        _node("Concat", [unit, weighed], seen, axis=1),
        _node("Gemm", [seen, weights, bias], LOGITS),
    ]
    return b"".join(
        [
            *kept,
            *(encode(_NODE, node) for node in nodes),
            encode(_INITIALIZER, _tensor(scale, np.array([1 / temperature]))),
            encode(_INITIALIZER, _tensor(weight, np.array([GENRES_WEIGHT]))),
            encode(_INITIALIZER, _tensor(weights, head.weights)),
            encode(_INITIALIZER, _tensor(bias, head.bias)),
            encode(_OUTPUT, _value_info(LOGITS, len(head.bias))),
        ]
    )


def _renamed(node: bytes, names: dict[bytes, bytes]) -> bytes:
    return b"".join(
        encode(number, names.get(value, value))
        if number in (_NODE_INPUT, _NODE_OUTPUT) and isinstance(value, bytes)
        else encode(number, value)
        for number, value in fields(node)
    )


def _node(op: str, inputs: list[str], output: str, **attributes: int) -> bytes:
    parts = [encode(_NODE_INPUT, name.encode()) for name in inputs]
    parts += [encode(_NODE_OUTPUT, output.encode())]
    parts += [
        encode(_NODE_NAME, f"{op}_{output}_{inputs[-1]}".encode()),
        encode(_NODE_OP, op.encode()),
    ]
    for name, number in attributes.items():  # AttributeProto: name 1, i 3, type 20 (INT is 2)
        attribute = encode(1, name.encode()) + encode(3, number) + encode(20, 2)
        parts.append(encode(_NODE_ATTRIBUTE, attribute))
    return b"".join(parts)


def _tensor(name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
    """TensorProto: dims 1, data_type 2, name 8, raw_data 9."""
    dims = b"".join(encode(1, n) for n in values.shape)
    raw = values.astype("<f4").tobytes()
    return dims + encode(2, _FLOAT) + encode(8, name.encode()) + encode(9, raw)


def _value_info(name: str, n_classes: int) -> bytes:
    """ValueInfoProto of float (batch, n_classes): name 1, type 2; dim_value 1, dim_param 2."""
    dims = encode(1, encode(2, b"batch")) + encode(1, encode(1, n_classes))
    tensor = encode(1, _FLOAT) + encode(2, dims)
    return encode(1, name.encode()) + encode(2, encode(1, tensor))


def _name(value: Value) -> bytes:
    """The name, field 1, of a ValueInfoProto."""
    return next(_payload(name) for number, name in fields(_payload(value)) if number == 1)


def _payload(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a field is of another kind than it should be")
    return value
