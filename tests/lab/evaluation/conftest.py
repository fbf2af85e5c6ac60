from __future__ import annotations

from pathlib import Path

import pytest
from bundle_maker import make_bundle, tiny_onnx
from lab_makers import GENRES, music_folder

from genrescope.model.bundle import Bundle


@pytest.fixture(scope="package")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    music_folder(folder)
    return folder


@pytest.fixture(scope="package")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(
        tmp_path_factory.mktemp("bundle") / "b",
        onnx_bytes=tiny_onnx(n_classes=3),
        labels=GENRES,
        training={"tracks": ["fado/0.wav"]},
    )
