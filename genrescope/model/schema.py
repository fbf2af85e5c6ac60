"""What ``bundle.json`` may hold. A bundle may come from a stranger: nothing in it is trusted."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, cast

from genrescope.errors import BundleError
from genrescope.features.config import FeatureConfig
from genrescope.model.novelty import NoMusic, is_number

FORMAT_VERSION = 1
MODEL = "model.onnx"
CARD = "MODEL_CARD.md"
CATALOGUE = "catalogue.npz"
REQUIRED_FILES = frozenset({MODEL, CARD})
HEADS = {"tempo": "tempo.onnx", "key": "key.onnx"}
"""Files of the small nets beside the bundle's own, by what they tell."""
OPTIONAL_FILES = frozenset({CATALOGUE, *HEADS.values()})

MAX_JSON_BYTES = 4 << 20
MAX_FILE_BYTES = 256 << 20
MAX_DEPTH = 16

# Beyond these lies no music, but memory without end.
MAX_BINS = 4_097
FRAMES_PER_S = (1, 1_000)

# Categories of characters without a shape of their own, and directions that turn text around.
_UNSEEN = ("Zs", "Cf", "Co", "Cn")
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def parse(raw: bytes) -> dict[str, Any]:
    """Read and check the text of a ``bundle.json``.

    Returns:
        Its object, every key present and of the right type and range.

    Raises:
        BundleError: saying what is wrong, without naming the bundle.
    """
    if len(raw) > MAX_JSON_BYTES:
        raise BundleError(f"bundle.json is larger than {MAX_JSON_BYTES >> 20} MB")
    try:
        payload = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError("bundle.json is not valid JSON") from error
    if not isinstance(payload, dict):
        raise BundleError("bundle.json does not hold an object")
    version = payload.get("format_version")
    if version != FORMAT_VERSION or not _is_whole(version):
        raise BundleError(
            f"format version {_shown(version)} is not the one this Genrescope reads "
            f"({FORMAT_VERSION}); upgrade Genrescope or use another bundle"
        )
    payload.setdefault("no_music", None)
    payload.setdefault("degradations", [])
    payload.setdefault("heads", {})
    if payload.keys() != _KEYS:
        odd = sorted(payload.keys() ^ _KEYS)
        raise BundleError(f"bundle.json has missing or unknown keys: {_shown(odd)}")
    _check_plain(payload, 0)
    for key, check in _CHECKS.items():
        check(payload[key])
    _check_windows(payload)
    _check_heads_have_files(payload)
    return payload


def check_fields(fields: Mapping[str, object]) -> None:
    """Check fields of a bundle, each by itself.

    Raises:
        BundleError: saying what is wrong, without naming the bundle.
    """
    _check_plain(dict(fields), 0)
    for key, value in fields.items():
        _CHECKS[key](value)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BundleError(message)


def _shown(value: object) -> str:
    """A stranger's value, cut short and without control characters."""
    return _cut(ascii(value))


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."


def _told(error: Exception) -> str:
    """Why a stranger's value was refused, cut short, with escapes for what may not be printable."""
    return _cut(str(error).encode("ascii", "backslashreplace").decode())


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object, *, longest: int) -> bool:
    return isinstance(value, str) and value.strip() != "" and len(value) <= longest


def _check_plain(value: object, depth: int) -> None:
    """No control characters (they could drive a terminal), no infinities, no deep nesting."""
    _require(depth <= MAX_DEPTH, "bundle.json is nested too deeply")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_plain(key, depth + 1)
            _check_plain(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_plain(inner, depth + 1)
    elif isinstance(value, str):
        if not value.isprintable() and not all(map(_is_harmless, value)):
            raise BundleError(f"bundle.json holds control characters: {_shown(value)}")
    elif isinstance(value, float):
        _require(math.isfinite(value), "bundle.json holds a number that is not finite")


def _is_harmless(c: str) -> bool:
    """Whether a character neither drives a terminal, ends a line, nor turns text around.

    Spaces of all kinds and joiners are in the names of many files.
    """
    if c.isprintable() or c in "\n\t":
        return True
    return unicodedata.category(c) in _UNSEEN and unicodedata.bidirectional(c) not in _TURNING


def _check_name(value: object) -> None:
    _require(_is_text(value, longest=100), f"name {_shown(value)} is not a short text")


def _check_licence(value: object) -> None:
    _require(_is_text(value, longest=2_000), f"licence {_shown(value)} is not a text")


def _check_created(value: object) -> None:
    _require(_is_text(value, longest=40), f"created {_shown(value)} is not a date")


def _check_labels(value: object) -> None:
    good = (
        isinstance(value, list)
        and 2 <= len(value) <= 1_000
        and all(_is_text(label, longest=100) for label in value)
        and len(set(value)) == len(value)
    )
    _require(good, "labels is not a list of at least two different names")


def _check_features(value: object) -> None:
    if not isinstance(value, dict):
        raise BundleError("features is not an object")
    try:
        config = FeatureConfig.from_dict(value)
    except ValueError as error:
        raise BundleError(f"features: {_told(error)}") from error
    _require(config.n_bins <= MAX_BINS, f"features asks for more than {MAX_BINS} bands")
    low, high = FRAMES_PER_S
    good = low <= config.frame_rate <= high
    _require(good, f"features asks for other than {low} to {high} frames per second")


def _check_temperature(value: object) -> None:
    _require(is_number(value, 0.01, 100), f"temperature {_shown(value)} is out of range")


def _check_thresholds(value: object) -> None:
    good = isinstance(value, dict) and all(is_number(v, -1e9, 1e9) for v in value.values())
    _require(good, "thresholds does not map names to numbers")


def _check_no_music(value: object) -> None:
    if value is None:
        return
    _require(isinstance(value, dict), "no_music is not an object")
    try:
        NoMusic.from_dict(cast("dict[str, Any]", value))
    except ValueError as error:
        raise BundleError(f"no_music: {_told(error)}") from error


def _check_training(value: object) -> None:
    if not isinstance(value, dict):
        raise BundleError("training is not an object")
    tracks = value.get("tracks", [])
    good = isinstance(tracks, list) and all(isinstance(track, str) for track in tracks)
    _require(good, "training.tracks is not a list of track IDs")


def _check_metrics(value: object) -> None:
    if not isinstance(value, list):
        raise BundleError("metrics is not a list")
    for i, row in enumerate(value):
        good = (
            isinstance(row, dict)
            and all(_is_text(row.get(key), longest=200) for key in ("protocol", "part", "level"))
            and _is_whole(row.get("n"))
            and row["n"] > 0
            and all(is_number(row.get(key), 0, 1) for key in ("low", "accuracy", "high"))
            and row["low"] <= row["high"]
        )
        _require(
            good,
            f"metrics[{i}] does not hold texts protocol, part and level, a count n, "
            "and accuracy, low <= high within 0 to 1",
        )


def _check_degradations(value: object) -> None:
    if not isinstance(value, list):
        raise BundleError("degradations is not a list")
    for i, row in enumerate(value):
        good = (
            isinstance(row, dict)
            and all(_is_text(row.get(key), longest=200) for key in ("name", "sink"))
            and _is_whole(row.get("n"))
            and row["n"] > 0
            and all(is_number(row.get(key), 0, 1) for key in ("low", "accuracy", "high"))
            and is_number(row.get("drop"), -1, 1)
            and is_number(row.get("sink_share"), 0, 1)
            and isinstance(flagged := row.get("flagged", {}), dict)
            and all(is_number(share, 0, 1) for share in flagged.values())
        )
        _require(
            good,
            f"degradations[{i}] does not hold texts name and sink, a count n, and accuracy, low, "
            "high, drop, sink_share and the shares in flagged within 0 to 1",
        )


def _check_heads(value: object) -> None:
    if not isinstance(value, dict):
        raise BundleError("heads is not an object")
    for name, head in value.items():
        good = (
            name in HEADS
            and isinstance(head, dict)
            and isinstance(head.get("training"), dict)
            and isinstance(figures := head.get("figures"), dict)
            and all(_is_figure(figure) for figure in figures.values())
        )
        _require(
            good,
            f"heads.{_shown(name)} is not tempo or key with objects training and figures, each "
            "figure with a count n, and value, low <= high within 0 to 1",
        )


def _is_figure(figure: object) -> bool:
    return (
        isinstance(figure, dict)
        and _is_whole(figure.get("n"))
        and figure["n"] > 0
        and all(is_number(figure.get(key), 0, 1) for key in ("low", "value", "high"))
        and figure["low"] <= figure["high"]
    )


def _check_heads_have_files(payload: dict[str, Any]) -> None:
    for name, file in HEADS.items():
        _require(
            (name in payload["heads"]) == (file in payload["files"]),
            f"heads.{name} and files.{file} do not stand together",
        )


def _check_files(value: object) -> None:
    """The names are a closed list, so that none can lead out of the bundle's folder."""
    if not isinstance(value, dict):
        raise BundleError("files is not an object")
    odd = sorted(value.keys() - REQUIRED_FILES - OPTIONAL_FILES)
    _require(not odd, f"files names what does not belong in a bundle: {_shown(odd)}")
    absent = sorted(REQUIRED_FILES - value.keys())
    _require(not absent, f"files does not list {', '.join(absent)}")
    for name, digest in value.items():
        good = isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest) is not None
        _require(good, f"files.{name} is not a SHA-256")


def _check_windows(payload: dict[str, Any]) -> None:
    window_s, hop_s = payload["window_s"], payload["hop_s"]
    frame_rate = FeatureConfig.from_dict(payload["features"]).frame_rate
    good = is_number(window_s, 0.01, 600) and round(window_s * frame_rate) >= 2
    _require(good, f"window_s = {_shown(window_s)} is out of range")
    good = is_number(hop_s, 0.001, window_s) and round(hop_s * frame_rate) >= 1
    _require(good, f"hop_s = {_shown(hop_s)} is out of range")


_CHECKS = {
    "name": _check_name,
    "licence": _check_licence,
    "created": _check_created,
    "labels": _check_labels,
    "features": _check_features,
    "temperature": _check_temperature,
    "thresholds": _check_thresholds,
    "no_music": _check_no_music,
    "training": _check_training,
    "metrics": _check_metrics,
    "degradations": _check_degradations,
    "heads": _check_heads,
    "files": _check_files,
}
_KEYS = frozenset({"format_version", "window_s", "hop_s", *_CHECKS})
