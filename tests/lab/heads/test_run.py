from __future__ import annotations

import json
from pathlib import Path

import pytest
from bundle_maker import make_bundle
from heads_maker import FIGURE, key_onnx

from genrescope.errors import GenrescopeError
from genrescope.features.config import STORE_CONFIG, FeatureConfig
from genrescope.lab.heads.run import HEAD_JSON, HEAD_ONNX, attach, load_heads


def _run(folder: Path, **changes: object) -> Path:
    folder.mkdir()
    described = {
        "task": "key",
        "features": STORE_CONFIG.to_dict(),
        "training": {"seed": 0},
        "figures": {"correct": FIGURE},
        "thresholds": {},
        **changes,
    }
    (folder / HEAD_JSON).write_text(json.dumps(described))
    (folder / HEAD_ONNX).write_bytes(key_onnx())
    return folder


def test_a_run_is_put_beside_a_net(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    made = attach(bundle.path, bundle.path, {"tempo": None, "key": _run(tmp_path / "run")})
    assert made.heads == {"key": {"training": {"seed": 0}, "figures": {"correct": FIGURE}}}
    assert made.read("key.onnx") == key_onnx()
    assert made.read("model.onnx") == bundle.read("model.onnx")


def test_another_head_or_front_end_is_refused(tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    with pytest.raises(GenrescopeError, match="is a head for the key, not the tempo"):
        load_heads({"tempo": run}, STORE_CONFIG)
    with pytest.raises(GenrescopeError, match="learned from"):
        load_heads({"key": run}, FeatureConfig())


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenrescopeError, match="no finished run of genrescope heads train"):
        load_heads({"key": tmp_path}, STORE_CONFIG)
    (tmp_path / HEAD_JSON).write_text("[]")
    (tmp_path / HEAD_ONNX).write_bytes(b"")
    with pytest.raises(GenrescopeError, match="no finished run"):
        load_heads({"key": tmp_path}, STORE_CONFIG)
