"""Makes a bundle small enough for tests: a net that names the loudest tenth of the mel bands."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from genrescope.errors import BundleError
from genrescope.features.config import STORE_CONFIG
from genrescope.model.bundle import Bundle
from genrescope.model.writing import write_bundle

LABELS = (
    *("blues", "classical", "country", "disco", "hiphop"),
    *("jazz", "metal", "pop", "reggae", "rock"),
)
N_BINS = 128


def band_weights(n_classes: int, *, n_bins: int = N_BINS) -> NDArray[np.float32]:
    """float32 (n_bins, n_classes): class k is the mean of the k-th share of the bands."""
    weights = np.zeros((n_bins, n_classes), np.float32)
    for k, rows in enumerate(np.array_split(np.arange(n_bins), n_classes)):
        weights[rows, k] = 1 / len(rows)
    return weights


def tiny_onnx(
    *,
    n_classes: int = len(LABELS),
    n_bins: int = N_BINS,
    logits: str = "logits",
    gain: float = 4,
    n_steps: int = 0,
) -> bytes:
    """A net of the bundle's contract: mean over time, then one linear layer for each output.

    Without ``n_steps`` it tells nothing of the parts of a window.
    """
    shape = ["batch", n_bins, "n_frames"]
    nodes = [
        helper.make_node("ReduceMean", ["log_mel"], ["pooled"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["pooled", "head"], [logits]),
        helper.make_node("MatMul", ["pooled", "body"], ["embedding"]),
    ]
    outputs = [
        helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["batch", n_classes]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 16]),
    ]
    weights = [
        numpy_helper.from_array(np.float32(gain) * band_weights(n_classes, n_bins=n_bins), "head"),
        numpy_helper.from_array(band_weights(16, n_bins=n_bins), "body"),
    ]
    if n_steps:
        numbers = {"two": 2, "n_steps": n_steps, **{f"at{i}": i for i in range(n_steps + 1)}}
        weights += [numpy_helper.from_array(np.array([n]), name) for name, n in numbers.items()]
        nodes.append(helper.make_node("Shape", ["log_mel"], ["frames"], start=2))
        for i in range(n_steps + 1):
            nodes += [
                helper.make_node("Mul", ["frames", f"at{i}"], [f"times{i}"]),
                helper.make_node("Div", [f"times{i}", "n_steps"], [f"edge{i}"]),
            ]
        for i in range(n_steps):
            part = ["log_mel", f"edge{i}", f"edge{i + 1}", "two"]
            nodes += [
                helper.make_node("Slice", part, [f"part{i}"]),
                helper.make_node("ReduceMean", [f"part{i}"], [f"mean{i}"], axes=[2], keepdims=0),
                helper.make_node("MatMul", [f"mean{i}", "head"], [f"flat{i}"]),
                helper.make_node("Unsqueeze", [f"flat{i}", "at1"], [f"step{i}"]),
            ]
        each = [f"step{i}" for i in range(n_steps)]
        nodes.append(helper.make_node("Concat", each, ["steps"], axis=1))
        dims = ["batch", n_steps, n_classes]
        outputs.append(helper.make_tensor_value_info("steps", TensorProto.FLOAT, dims))
    entry = helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "tiny", [entry], outputs, weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="tests"
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def tiny_catalogue(**columns: list[str]) -> bytes:
    """Up to sixteen tracks, one along each axis of the embedding; some lack names.

    Args:
        **columns: ``track``, ``artist``, ``title`` or ``genre`` instead of the usual ones.
    """
    artists = [f"Artist {i}" for i in range(16)]
    titles = [f"Title {i}" for i in range(16)]
    artists[2] = titles[2] = ""
    artists[3] = ""
    usual = {
        "track": [f"tiny.{i:05d}" for i in range(16)],
        "artist": artists,
        "title": titles,
        "genre": [LABELS[i % 10] for i in range(16)],
    }
    n = min((len(column) for column in columns.values()), default=16)
    arrays = {name: np.array((columns.get(name) or usual[name])[:n]) for name in usual}
    buffer = io.BytesIO()
    np.savez(buffer, embedding=np.eye(16, dtype=np.float16)[:n], **arrays)
    return buffer.getvalue()


def make_bundle(folder: Path, **changes: Any) -> Bundle:
    """Write the tiny bundle; ``changes`` go to `write_bundle`."""
    values: Mapping[str, Any] = {
        "onnx_bytes": tiny_onnx(),
        "name": "tiny",
        "labels": LABELS,
        "features": STORE_CONFIG,
        "window_s": 3.0,
        "hop_s": 1.5,
        "created": "2026-01-01",
        "licence": "Apache-2.0",
        "temperature": 1.5,
        "thresholds": {"uncertain": 0.15},
        "training": {"data": "none: made by hand", "seed": 0, "tracks": ["tiny.00000"]},
        "metrics": [
            {
                "protocol": "fault-filtered",
                "part": "valid",
                "level": "track",
                "n": 10,
                "accuracy": 0.5,
                "low": 0.2,
                "high": 0.8,
                "date": "2026-01-01",
            }
        ],
        "catalogue": tiny_catalogue(),
    }
    return write_bundle(folder, **{**values, **changes})


def refused(folder: Path) -> str:
    """Why that folder is no bundle: the message, without the folder that it names."""
    with pytest.raises(BundleError) as caught:
        Bundle.load(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert message.count(str(folder)) == 1
    return message.replace(str(folder), "")
