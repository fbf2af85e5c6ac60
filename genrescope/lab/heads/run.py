"""The run of a head, read back, and put beside the net of a bundle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genrescope.errors import GenrescopeError
from genrescope.features.config import FeatureConfig
from genrescope.model.bundle import Bundle
from genrescope.model.writing import Head, with_heads

HEAD_JSON, HEAD_ONNX = "head.json", "head.onnx"
"""The files of a run."""


def load_heads(runs: Mapping[str, Path | None], features: FeatureConfig) -> dict[str, Head]:
    """The heads of runs, by what they tell.

    Args:
        runs: ``tempo`` and ``key`` with the folders of their runs; None leaves one out.
        features: the front end they are to stand behind.

    Raises:
        GenrescopeError: a folder holds no such run, or one behind another front end.
    """
    return {name: _load(name, path, features) for name, path in runs.items() if path is not None}


def attach(
    bundle: str | os.PathLike[str],
    out: str | os.PathLike[str],
    runs: Mapping[str, Path | None],
) -> Bundle:
    """Write a bundle with heads beside its net; what ``genrescope heads attach`` does.

    Args:
        bundle: folder of the bundle.
        out: folder of the copy; may be the same.
        runs: as of `load_heads`.

    Raises:
        GenrescopeError: as by `load_heads`, or no bundle can be read or written there.
    """
    loaded = Bundle.load(bundle)
    return with_heads(loaded, out, load_heads(runs, loaded.features))


def _load(name: str, path: Path, features: FeatureConfig) -> Head:
    try:
        described: dict[str, Any] = json.loads((path / HEAD_JSON).read_text(encoding="utf-8"))
        onnx_bytes = (path / HEAD_ONNX).read_bytes()
        task = described["task"]
        learned = FeatureConfig.from_dict(described["features"])
        head = Head(
            onnx_bytes, described["training"], described["figures"], described["thresholds"]
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise GenrescopeError(
            f"{path}: is no finished run of genrescope heads train; name the folder of --out there."
        ) from None
    if task != name:
        raise GenrescopeError(f"{path}: is a head for the {task}, not the {name}.")
    if learned != features:
        raise GenrescopeError(f"{path}: learned from {learned}, and the bundle has {features}.")
    return head
