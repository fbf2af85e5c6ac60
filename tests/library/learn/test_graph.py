from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from bundle_maker import tiny_onnx

from genrescope.errors import BundleError
from genrescope.library.learn.graph import with_head
from genrescope.library.learn.head import Head, seen
from genrescope.model.bundle import DEFAULT_BUNDLE
from genrescope.model.inference import softmax


def _head(d: int, n_classes: int, seed: int = 0) -> Head:
    rng = np.random.default_rng(seed)
    return Head(rng.normal(size=(d, n_classes)), rng.normal(size=n_classes))


def _run(net: bytes, x: np.ndarray) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(net, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"log_mel": x}), strict=True))


@pytest.mark.parametrize("source", ["tiny", "tiny with steps", "shipped"])
def test_the_logits_are_the_heads_and_the_embedding_stays(source: str) -> None:
    net = tiny_onnx(n_steps=3 if source.endswith("steps") else 0)
    if source == "shipped":
        net = (DEFAULT_BUNDLE / "model.onnx").read_bytes()
    x = np.random.default_rng(1).normal(size=(3, 128, 40)).astype(np.float32)
    before = _run(net, x)
    head = _head(before["embedding"].shape[1] + before["logits"].shape[1], 7)
    changed = with_head(net, head, temperature=1.7)
    after = _run(changed, x)
    assert set(after) == {"logits", "embedding"}
    np.testing.assert_array_equal(after["embedding"], before["embedding"])
    rows = seen(before["embedding"], softmax(before["logits"], 1.7))
    np.testing.assert_allclose(after["logits"], head.logits(rows), atol=5e-4)
    model = onnx.load_from_string(changed)
    onnx.checker.check_model(model)
    shape = model.graph.output[-1].type.tensor_type.shape.dim
    assert [shape[0].dim_param, shape[1].dim_value] == ["batch", 7]


def test_a_learned_net_can_be_taught_again() -> None:
    x = np.random.default_rng(1).normal(size=(2, 128, 40)).astype(np.float32)
    first = with_head(tiny_onnx(), _head(26, 4), temperature=1.0)
    before = _run(first, x)
    head = _head(20, 5, seed=1)
    after = _run(with_head(first, head, temperature=1.0), x)
    rows = seen(before["embedding"], softmax(before["logits"], 1.0))
    np.testing.assert_allclose(after["logits"], head.logits(rows), atol=5e-4)


@pytest.mark.parametrize(
    "data", [b"", b"no net at all", bytes(range(256)), b"\x3a\xff\xff\xff\x7f"]
)
def test_what_is_no_net_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="cannot be given another head"):
        with_head(data, _head(16, 4), temperature=1.0)


def test_a_net_without_an_embedding_is_refused() -> None:
    model = onnx.load_from_string(tiny_onnx())
    del model.graph.output[1]
    with pytest.raises(BundleError, match="gives no embedding"):
        with_head(model.SerializeToString(), _head(16, 4), temperature=1.0)


@pytest.mark.slow
def test_it_needs_no_training_library(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['onnx'] = sys.modules['torch'] = None\n"
        "import genrescope.library.learn.own"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=300)
