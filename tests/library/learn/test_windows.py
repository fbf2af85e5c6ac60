from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundle_maker import LABELS, make_bundle, tiny_onnx
from library_makers import make_song

from genrescope.library.learn.graph import with_head
from genrescope.library.learn.head import Head, seen
from genrescope.library.learn.windows import Taught, window_temperature
from genrescope.model import Classifier
from genrescope.model.bundle import Bundle
from genrescope.model.clip import Clip
from genrescope.model.inference import softmax


@pytest.fixture(scope="module")
def head() -> Head:
    return Head(6 * np.random.default_rng(0).normal(size=(26, 10)), np.zeros(10))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, head: Head) -> Bundle:
    folder = tmp_path_factory.mktemp("learned") / "bundle"
    net = with_head(tiny_onnx(), head, temperature=1.0)
    return make_bundle(folder, onnx_bytes=net, temperature=1.0, labels=LABELS)


def _taught(folder: Path, *, seconds: float) -> list[Taught]:
    """Songs with what the net that the head was put on tells of them."""
    classifier = Classifier(make_bundle(folder / "base", temperature=1.0))
    taught = []
    for i in range(4):
        path = make_song(folder / f"{i}.flac", seed=i, seconds=seconds)
        told = classifier.classify(path)
        taught.append(Taught(str(path), seen(told.embedding[None], told.clip_probs[None])[0]))
    return taught


@pytest.mark.slow
def test_a_clip_of_one_window_keeps_the_temperature(
    tmp_path: Path, bundle: Bundle, head: Head
) -> None:
    taught = _taught(tmp_path, seconds=2.0)
    assert window_temperature(bundle, head, taught, seed=0) == pytest.approx(1.0, abs=0.03)


@pytest.mark.slow
def test_the_average_is_made_as_sure_as_the_clip(
    tmp_path: Path, bundle: Bundle, head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = _taught(tmp_path, seconds=2.0)
    real = Classifier.classify_features

    def apart(self: Classifier, clip: Clip) -> object:
        """Windows that disagree: half of them know nothing."""
        prediction = real(self, clip)
        unsure = softmax(0.3 * np.log(prediction.probs))
        return replace(prediction, probs=np.vstack([prediction.probs, unsure]).astype(np.float32))

    monkeypatch.setattr(Classifier, "classify_features", apart)
    assert window_temperature(bundle, head, taught, seed=0) < 0.8


def test_tracks_that_are_gone_leave_it_as_it_is(bundle: Bundle, head: Head) -> None:
    gone = [Taught("/nowhere.flac", np.ones(26))]
    assert window_temperature(bundle, head, gone, seed=0) == 1.0
