"""The artifact a training leaves and a classifier runs: one folder, every file hashed.

``model.onnx`` takes ``log_mel`` float32 (batch, n_bins, n_frames), each clip standardised, and
gives ``logits`` (batch, n_classes), ``embedding`` (batch, d) and, if it can, ``steps`` (batch,
n_steps, n_classes), the logits of equal parts of a window. ``bundle.json`` says the rest,
``MODEL_CARD.md`` says it to people, ``catalogue.npz`` (optional) holds tracks to suggest, and
``tempo.onnx`` and ``key.onnx`` (optional) are small nets beside it, see `genrescope.model.heads`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrescope.errors import BundleError
from genrescope.features.config import FeatureConfig
from genrescope.model import schema
from genrescope.model.inference import Windowing
from genrescope.model.novelty import NoMusic

DEFAULT_BUNDLE = Path(__file__).resolve().parents[1] / "bundles" / "default"


@dataclass(frozen=True)
class Bundle:
    """What ``bundle.json`` says.

    Attributes:
        path: the bundle's folder.
        name: what to call it.
        labels: names of the classes, in the order of the logits.
        features: the front end the net was trained on.
        window_s, hop_s: seconds of a window, and from one window to the next.
        temperature: what logits are divided by before the softmax.
        thresholds: ``uncertain``, the confidence below which an answer gets that flag, and
            ``set``, see `prediction_sets`, and ``beat``, see `heads`; each may be absent.
        no_music: what tells that a recording is no music, if anything does.
        training: what it was trained on and how: ``data``, ``split``, ``protocol``, ``seed``,
            ``net``, ``recipe``, ``tracks``, ``command``, ``commit``, ``date``.
        metrics: rows with ``protocol``, ``part``, ``level``, ``n``, ``accuracy`` and its 95 %
            interval ``low``, ``high``; more keys, such as ``command`` and ``date``, are free.
        degradations: rows with ``name``, ``n``, ``accuracy``, ``low``, ``high``, ``drop`` from the
            clean recordings, and ``sink``, the genre named most, with its ``sink_share``;
            ``flagged`` may hold the shares that got each flag.
        heads: ``tempo`` and ``key``, where it has them: ``training``, how the head was trained,
            and ``figures``, each by its name with a count ``n``, ``value``, ``low`` and ``high``.
        licence: under which terms it may be used.
        created: ISO date.
        files: SHA-256 of each file beside ``bundle.json``.
    """

    path: Path
    name: str
    labels: tuple[str, ...]
    features: FeatureConfig
    window_s: float
    hop_s: float
    temperature: float
    thresholds: dict[str, float]
    no_music: NoMusic | None
    training: dict[str, Any]
    metrics: list[dict[str, Any]]
    degradations: list[dict[str, Any]]
    heads: dict[str, dict[str, Any]]
    licence: str
    created: str
    files: dict[str, str]

    @classmethod
    def load(
        cls, path: str | os.PathLike[str] | None = None, *, verify_files: bool = True
    ) -> Bundle:
        """Read and verify a bundle.

        Args:
            path: its folder, or the name of one that ships with Genrescope; None takes ``default``.
            verify_files: whether the files beside ``bundle.json`` are verified now; they are in
                any case as soon as one is read, which is all that whoever needs few of them
                has to wait for.

        Raises:
            BundleError: it is missing, of another format version, or not what its hashes say.
        """
        folder = DEFAULT_BUNDLE if path is None else bundle_folder(path)
        if not (folder / "bundle.json").is_file():
            raise BundleError(_missing(folder, default=path is None))
        try:
            payload = schema.parse(_read(folder / "bundle.json", limit=schema.MAX_JSON_BYTES))
            bundle = _from_payload(folder, payload)
            for name in bundle.files if verify_files else ():
                bundle.read(name)
        except BundleError as error:
            raise BundleError(f"bundle {folder}: {error}") from error
        return bundle

    @property
    def windowing(self) -> Windowing:
        """How clips are cut into windows."""
        rate = self.features.frame_rate
        return Windowing.of_length(
            round(self.window_s * rate), round(self.hop_s * rate), config=self.features
        )

    def read(self, name: str) -> bytes:
        """Bytes of one of ``files``, checked against their hash (BundleError)."""
        raw = _read(self.path / name, limit=schema.MAX_FILE_BYTES)
        if hashlib.sha256(raw).hexdigest() != self.files[name]:
            raise BundleError(
                f"{name} is not the file bundle.json describes (its SHA-256 differs); "
                "fetch or export the bundle again"
            )
        return raw

    def to_dict(self) -> dict[str, Any]:
        """The object of ``bundle.json``."""
        return {
            "format_version": schema.FORMAT_VERSION,
            "name": self.name,
            "labels": list(self.labels),
            "features": self.features.to_dict(),
            "window_s": self.window_s,
            "hop_s": self.hop_s,
            "temperature": self.temperature,
            "thresholds": self.thresholds,
            "no_music": None if self.no_music is None else self.no_music.to_dict(),
            "training": self.training,
            "metrics": self.metrics,
            "degradations": self.degradations,
            "heads": self.heads,
            "licence": self.licence,
            "created": self.created,
            "files": self.files,
        }


def shipped_bundles() -> list[Path]:
    """Folders of the bundles that ship with the package, the default one first."""
    others = sorted(path.parent for path in DEFAULT_BUNDLE.parent.glob("*/bundle.json"))
    return [DEFAULT_BUNDLE, *(path for path in others if path != DEFAULT_BUNDLE)]


def bundle_folder(path: str | os.PathLike[str]) -> Path:
    """The folder that is meant: the path itself, or one that ships where this is its name."""
    if not (Path(path) / "bundle.json").is_file():
        for folder in shipped_bundles():
            if str(path) == folder.name:
                return folder
    return Path(path)


def _from_payload(folder: Path, payload: dict[str, Any]) -> Bundle:
    return Bundle(
        path=folder,
        name=payload["name"],
        labels=tuple(payload["labels"]),
        features=FeatureConfig.from_dict(payload["features"]),
        window_s=float(payload["window_s"]),
        hop_s=float(payload["hop_s"]),
        temperature=float(payload["temperature"]),
        thresholds={key: float(value) for key, value in payload["thresholds"].items()},
        no_music=payload["no_music"] and NoMusic.from_dict(payload["no_music"]),
        training=payload["training"],
        metrics=payload["metrics"],
        degradations=payload["degradations"],
        heads=payload["heads"],
        licence=payload["licence"],
        created=payload["created"],
        files=payload["files"],
    )


def _missing(folder: Path, *, default: bool) -> str:
    if default:
        return (
            "this copy of Genrescope ships without its model "
            f"({folder} holds no bundle); install a release, or train one and name it"
        )
    if not folder.exists():
        return f"bundle {folder}: there is no such folder"
    return f"bundle {folder}: not a folder with a bundle.json"


def _read(path: Path, *, limit: int) -> bytes:
    try:
        if not path.is_file():
            raise BundleError(f"{path.name} is missing")
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise BundleError(f"{path.name} cannot be read ({error.strerror})") from error
    if len(raw) > limit:
        raise BundleError(f"{path.name} is larger than {limit >> 20} MB")
    return raw
