"""Writing a bundle: its files, their hashes, and the card that tells people what it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
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


@contextmanager
def reserve(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keep a folder for the bundle that the block computes and writes with ``reserved=True``.

    A folder that is made here is gone again if the block writes nothing.

    Raises:
        BundleError: as by `check_free`, or another process is writing to it.
    """
    check_free(folder)
    folder = Path(folder)
    made = not folder.exists()
    try:
        with _locked(folder):
            yield
    finally:
        if made:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(folder) as alone:
        if not alone:
            raise BundleError(f"{folder}: another process is writing to it; name another folder")
        yield


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
    reserved: bool = False,
) -> Bundle:
    """Write a bundle, model card included, over what the folder held.

    ``bundle.json`` goes last: a bundle whose writing was interrupted does not load.

    Args:
        folder: made where missing.
        onnx_bytes: the net, see the top of `genrescope.model.bundle`.
        catalogue: bytes of an npz with ``embedding`` float16 (n, d) and ``track``, ``artist``,
            ``title``, ``genre`` (n,) str; an unknown artist or title is the empty string.
        heads: the small nets beside it, by the names in `schema.HEADS`.
        reserved: whether the caller keeps the folder already, see `reserve`.
        **others: as the attributes of Bundle.

    Returns:
        The bundle, read back.

    Raises:
        BundleError: a value that no bundle may hold, or another process is writing to the folder.
    """
    files = {schema.MODEL: onnx_bytes}
    if catalogue is not None:
        files[schema.CATALOGUE] = catalogue
    heads = heads or {}
    files |= _nets(heads)
    bundle = Bundle(
        path=Path(folder),
        name=name,
        labels=tuple(labels),
        features=features,
        window_s=window_s,
        hop_s=hop_s,
        temperature=temperature,
        thresholds=_thresholds(thresholds or {}, heads),
        no_music=no_music,
        training=dict(training or {}),
        metrics=[dict(row) for row in metrics],
        degradations=[dict(row) for row in degradations],
        heads=_described(heads),
        licence=licence,
        created=created,
        files={},  # until they are written
    )
    return _write(bundle, files, reserved=reserved)


def with_heads(bundle: Bundle, out: str | os.PathLike[str], heads: Mapping[str, Head]) -> Bundle:
    """Write a copy of a bundle with heads beside its net, in place of any of the same names.

    Args:
        bundle: read already; its net, catalogue and figures stay as they are.
        out: folder of the copy; may be the bundle's own.
        heads: by the names in `schema.HEADS`.

    Raises:
        BundleError: as by `write_bundle`, or ``out`` holds something else.
    """
    check_free(out)
    files = {key: bundle.read(key) for key in bundle.files if key != schema.CARD}
    return _write(
        replace(
            bundle,
            path=Path(out),
            thresholds=_thresholds(bundle.thresholds, heads),
            heads={**bundle.heads, **_described(heads)},
        ),
        files | _nets(heads),
    )


def _nets(heads: Mapping[str, Head]) -> dict[str, bytes]:
    """The heads' nets by the names of their files."""
    return {schema.HEADS[name]: head.onnx_bytes for name, head in heads.items()}


def _described(heads: Mapping[str, Head]) -> dict[str, Any]:
    """What a bundle tells of its heads, see `Bundle.heads`."""
    return {
        name: {
            "training": dict(head.training),
            "figures": {key: dict(figure) for key, figure in head.figures.items()},
        }
        for name, head in heads.items()
    }


def _thresholds(own: Mapping[str, float], heads: Mapping[str, Head]) -> dict[str, float]:
    """Those of a bundle, and those that it gets by its heads."""
    thresholds = dict(own)
    for head in heads.values():
        thresholds |= head.thresholds
    return thresholds


def _write(bundle: Bundle, files: Mapping[str, bytes], *, reserved: bool = False) -> Bundle:
    """Write a bundle's files, its card and, last, ``bundle.json``, with the hashes of them all.

    Args:
        bundle: ``path`` is where to; ``files`` is made anew.
        files: by name, all but the card.
        reserved: as of `write_bundle`.

    Raises:
        BundleError: as by `write_bundle`.
    """
    bundle = replace(bundle, files={key: _sha256(raw) for key, raw in files.items()})
    card = model_card(bundle).encode()
    bundle.files[schema.CARD] = _sha256(card)
    text = json.dumps(bundle.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    described = text.encode() + b"\n"
    schema.parse(described)
    with nullcontext() if reserved else _locked(bundle.path):
        for key, raw in {**files, schema.CARD: card, "bundle.json": described}.items():
            with atomic_write(bundle.path / key) as part:
                part.write_bytes(raw)
        for key in schema.OPTIONAL_FILES - files.keys():
            (bundle.path / key).unlink(missing_ok=True)
        return Bundle.load(bundle.path)


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
