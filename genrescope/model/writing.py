"""Writing a bundle: its files, their hashes, and the card that tells people what it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrescope.errors import BundleError
from genrescope.features.config import FeatureConfig
from genrescope.files import atomic_write, exclusive_lock
from genrescope.model import schema
from genrescope.model.bundle import Bundle
from genrescope.model.card import model_card
from genrescope.model.novelty import NoMusic


@dataclass(frozen=True, eq=False)
class Head:
    """A small net that is to stand beside a bundle's own, see `genrescope.model.heads`.

    Attributes:
        onnx_bytes: the net.
        training: how it was trained.
        figures: how good it is, see `Bundle.heads`.
        thresholds: that the bundle gets by it.
    """

    onnx_bytes: bytes
    training: Mapping[str, Any]
    figures: Mapping[str, Mapping[str, Any]]
    thresholds: Mapping[str, float]


def check_texts(*, name: str, licence: str) -> None:
    """Refuse a name or licence that no bundle may have.

    Raises:
        BundleError: empty, too long, or with control characters.
    """
    schema.check_fields({"name": name, "licence": licence})


def check_free(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that holds something other than a bundle, before hours rest on it.

    Raises:
        BundleError: it does, or is no folder.
    """
    folder = Path(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BundleError(f"{folder}: is a file; name a folder for the bundle")
    if any(folder.iterdir()) and not (folder / "bundle.json").exists():
        raise BundleError(f"{folder}: holds something else; name an empty folder, or a new one")


def write_bundle(
    folder: str | os.PathLike[str],
    *,
    onnx_bytes: bytes,
    name: str,
    labels: Sequence[str],
    features: FeatureConfig,
    window_s: float,
    hop_s: float,
    created: str,
    licence: str,
    temperature: float = 1.0,
    thresholds: Mapping[str, float] | None = None,
    no_music: NoMusic | None = None,
    training: Mapping[str, Any] | None = None,
    metrics: Sequence[Mapping[str, Any]] = (),
    degradations: Sequence[Mapping[str, Any]] = (),
    catalogue: bytes | None = None,
    heads: Mapping[str, Head] | None = None,
) -> Bundle:
    """Write a bundle, model card included, over what the folder held.

    ``bundle.json`` goes last: a bundle whose writing was interrupted does not load.

    Args:
        folder: made where missing.
        onnx_bytes: the net, see the top of `genrescope.model.bundle`.
        catalogue: bytes of an npz with ``embedding`` float16 (n, d) and ``track``, ``artist``,
            ``title``, ``genre`` (n,) str; an unknown artist or title is the empty string.
        heads: the small nets beside it, by the names in `schema.HEADS`.
        **others: as the attributes of Bundle.

    Returns:
        The bundle, read back.

    Raises:
        BundleError: a value that no bundle may hold, or another process is writing to the folder.
    """
    files = {schema.MODEL: onnx_bytes}
    if catalogue is not None:
        files[schema.CATALOGUE] = catalogue
    beside = dict(heads or {})
    files |= {schema.HEADS[name]: head.onnx_bytes for name, head in beside.items()}
    limits = dict(thresholds or {})
    for head in beside.values():
        limits |= head.thresholds
    bundle = Bundle(
        path=Path(folder),
        name=name,
        labels=tuple(labels),
        features=features,
        window_s=window_s,
        hop_s=hop_s,
        temperature=temperature,
        thresholds=limits,
        no_music=no_music,
        training=dict(training or {}),
        metrics=[dict(row) for row in metrics],
        degradations=[dict(row) for row in degradations],
        heads={
            name: {
                "training": dict(head.training),
                "figures": {key: dict(figure) for key, figure in head.figures.items()},
            }
            for name, head in beside.items()
        },
        licence=licence,
        created=created,
        files={key: hashlib.sha256(raw).hexdigest() for key, raw in files.items()},
    )
    files[schema.CARD] = model_card(bundle).encode()
    bundle.files[schema.CARD] = hashlib.sha256(files[schema.CARD]).hexdigest()
    text = json.dumps(bundle.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    files["bundle.json"] = text.encode() + b"\n"
    schema.parse(files["bundle.json"])
    bundle.path.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(bundle.path) as alone:
        if not alone:
            raise BundleError(f"{folder}: another process is writing to it; name another folder")
        for key, raw in files.items():
            with atomic_write(bundle.path / key) as part:
                part.write_bytes(raw)
        for name in schema.OPTIONAL_FILES - files.keys():
            (bundle.path / name).unlink(missing_ok=True)
        return Bundle.load(folder)


def with_heads(bundle: Bundle, out: str | os.PathLike[str], heads: Mapping[str, Head]) -> Bundle:
    """Write a copy of a bundle with heads beside its net, in place of those it has by the names.

    Args:
        bundle: read already; its net, catalogue and figures stay as they are.
        out: folder of the copy; may be the bundle's own.
        heads: by the names in `schema.HEADS`.

    Raises:
        BundleError: as by `write_bundle`, or ``out`` holds something else.
    """
    check_free(out)
    kept = {
        name: Head(bundle.read(schema.HEADS[name]), head["training"], head["figures"], {})
        for name, head in bundle.heads.items()
    }
    return write_bundle(
        out,
        onnx_bytes=bundle.read(schema.MODEL),
        name=bundle.name,
        labels=bundle.labels,
        features=bundle.features,
        window_s=bundle.window_s,
        hop_s=bundle.hop_s,
        created=bundle.created,
        licence=bundle.licence,
        temperature=bundle.temperature,
        thresholds=bundle.thresholds,
        no_music=bundle.no_music,
        training=bundle.training,
        metrics=bundle.metrics,
        degradations=bundle.degradations,
        catalogue=bundle.read(schema.CATALOGUE) if schema.CATALOGUE in bundle.files else None,
        heads={**kept, **heads},
    )
