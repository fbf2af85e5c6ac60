"""The net of a bundle: the one that was verified, with one thread, and answers that are numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bundle_maker import make_bundle, tiny_onnx

from genrescope.audio.waveform import Waveform
from genrescope.errors import BundleError
from genrescope.model import Classifier


@pytest.mark.parametrize(
    "onnx_bytes",
    [b"", b"not a net", tiny_onnx(n_bins=64), tiny_onnx(n_classes=9), tiny_onnx(logits="scores")],
    ids=["empty", "garbage", "bins", "classes", "names"],
)
def test_a_net_that_is_not_what_the_bundle_says_is_refused(
    tmp_path: Path, onnx_bytes: bytes
) -> None:
    bundle = make_bundle(tmp_path / "b", onnx_bytes=onnx_bytes)
    with pytest.raises(BundleError, match=r"model\.onnx"):
        Classifier.load(bundle)


def test_a_net_that_answers_no_numbers_is_refused(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", onnx_bytes=tiny_onnx(gain=np.nan))
    noise = np.random.default_rng(0).normal(0, 0.1, 66_150).astype(np.float32)
    with pytest.raises(BundleError, match="NaN or infinity"):
        Classifier.load(bundle).classify(Waveform(noise, 22_050))


def test_the_net_is_the_one_that_was_verified(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    (tmp_path / "b" / "model.onnx").write_bytes(tiny_onnx(gain=-4))
    with pytest.raises(BundleError, match="SHA-256"):
        Classifier.load(bundle)
